defmodule PhoenixAppWeb.Control do
  @moduledoc "The control routes: what a test asks the server, and does to it, from outside."

  use Plug.Router

  alias PhoenixApp.{Ledger, Processes}
  alias PhoenixAppWeb.Endpoint

  # More channels than this are counted and not listed.
  @most_listed 50

  plug :match
  plug Plug.Parsers, parsers: [:json], pass: ["*/*"], json_decoder: Jason
  plug :dispatch

  get "/control/stats" do
    transports = for {_pid, entry} <- Processes.transports(), do: entry
    topics = for {_pid, topic} <- Processes.channels(), do: topic
    listed = if length(topics) <= @most_listed, do: topics, else: []

    json(conn, %{
      transports: length(transports),
      channels: length(topics),
      by_transport: Enum.frequencies_by(transports, fn {transport, _id} -> transport end),
      by_topic: Enum.frequencies(listed),
      ids: for({_transport, id} when id != nil <- transports, uniq: true, do: id),
      os_pid: String.to_integer(System.pid()),
      processes: :erlang.system_info(:process_count),
      memory_total: :erlang.memory(:total)
    })
  end

  get "/control/dump" do
    json(conn, %{items: Ledger.items(conn.params["topic"])})
  end

  post "/control/kill_sockets" do
    json(conn, %{killed: Processes.kill_transports()})
  end

  post "/control/kill_channels" do
    json(conn, %{killed: Processes.kill_channels(conn.params["topic"])})
  end

  post "/control/freeze" do
    json(conn, %{frozen: Processes.freeze(trunc(conn.params["ms"]))})
  end

  post "/control/broadcast" do
    %{"topic" => topic, "event" => event} = conn.params
    Endpoint.broadcast!(topic, event, Map.get(conn.params, "payload", %{}))
    json(conn, %{ok: true})
  end

  post "/control/disconnect" do
    Endpoint.broadcast!("user:#{conn.params["user_id"]}", "disconnect", %{})
    json(conn, %{ok: true})
  end

  post "/control/reset" do
    Ledger.reset()
    json(conn, %{ok: true})
  end

  match _ do
    send_resp(conn, 404, "not found")
  end

  defp json(conn, value) do
    conn
    |> put_resp_content_type("application/json")
    |> send_resp(200, Jason.encode!(value))
  end
end
