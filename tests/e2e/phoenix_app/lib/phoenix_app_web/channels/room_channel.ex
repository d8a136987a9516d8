defmodule PhoenixAppWeb.RoomChannel do
  @moduledoc "`room:*`: echoes, broadcasts, server pushes, binary frames, and every way to end."

  use Phoenix.Channel

  alias PhoenixApp.Processes

  # Milliseconds that a join of room:slow takes.
  @slow_join 2_000
  # After so many frames a flood waits until the transport has no more than so many left.
  @pace 200
  @default_binary <<0, 1, 2, 3, 0xFE, 0xFF>>

  @impl true
  def join("room:private", _params, _socket), do: {:error, %{reason: "unauthorized"}}
  def join("room:crash_on_join", _params, _socket), do: raise("this topic crashes in its join")

  def join(topic, params, socket) do
    if topic == "room:slow", do: Process.sleep(@slow_join)
    :ok = Processes.register_channel(topic)
    {:ok, %{joined: topic, params: params}, socket}
  end

  @impl true
  def handle_in("echo", payload, socket), do: {:reply, {:ok, payload}, socket}
  def handle_in("fail", payload, socket), do: {:reply, {:error, payload}, socket}
  def handle_in("no_reply", _payload, socket), do: {:noreply, socket}

  def handle_in("slow_echo", %{"ms" => ms} = payload, socket) do
    Process.sleep(ms)
    {:reply, {:ok, payload}, socket}
  end

  def handle_in("hibernate_ping", _payload, socket), do: {:reply, {:ok, %{pong: true}}, socket}

  def handle_in("whoami", _payload, socket) do
    %{params: params, id: id} = socket.assigns

    who = %{
      params: params,
      id: id,
      transport: socket.transport,
      topic: socket.topic,
      join_ref: socket.join_ref,
      vsn: Map.get(params, "vsn", "1.0.0")
    }

    {:reply, {:ok, who}, socket}
  end

  def handle_in("flood", %{"n" => n, "size" => size} = payload, socket) do
    data = String.duplicate("x", size)
    paced = payload["raw"] != true

    for i <- 1..n//1 do
      push(socket, "tick", %{i: i, data: data})
      if paced and rem(i, @pace) == 0, do: drain(socket.transport_pid)
    end

    {:reply, {:ok, %{sent: n}}, socket}
  end

  def handle_in("shout", payload, socket) do
    broadcast!(socket, "shout", payload)
    {:noreply, socket}
  end

  def handle_in("shout_from", payload, socket) do
    broadcast_from!(socket, "shout", payload)
    {:reply, :ok, socket}
  end

  def handle_in("push_me", payload, socket) do
    push(socket, "pushed", payload)
    {:noreply, socket}
  end

  def handle_in("binary_echo", {:binary, _} = payload, socket) do
    {:reply, {:ok, payload}, socket}
  end

  def handle_in("binary_push", payload, socket) do
    push(socket, "binary_pushed", binary(payload))
    {:noreply, socket}
  end

  def handle_in("binary_broadcast", payload, socket) do
    broadcast!(socket, "binary_shout", binary(payload))
    {:noreply, socket}
  end

  def handle_in("crash", _payload, _socket), do: raise("asked to crash")
  def handle_in("stop", _payload, socket), do: {:stop, :normal, socket}
  def handle_in("stop_reply", payload, socket), do: {:stop, :normal, {:ok, payload}, socket}

  def handle_in("disconnect_me", _payload, socket) do
    if id = socket.assigns.id, do: socket.endpoint.broadcast(id, "disconnect", %{})
    {:noreply, socket}
  end

  defp drain(transport) do
    case Process.info(transport, :message_queue_len) do
      {:message_queue_len, length} when length > @pace ->
        Process.sleep(1)
        drain(transport)

      _ ->
        :ok
    end
  end

  defp binary({:binary, _} = payload), do: payload
  defp binary(%{"size" => size}), do: {:binary, :binary.copy(<<0xAB>>, size)}
  defp binary(_payload), do: {:binary, @default_binary}
end
