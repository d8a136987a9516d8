defmodule PhoenixAppWeb.UserSocket do
  use Phoenix.Socket,
    max_channels_per_transport: Application.compile_env!(:phoenix_app, :max_channels)

  channel "room:*", PhoenixAppWeb.RoomChannel
  channel "presence:*", PhoenixAppWeb.PresenceChannel
  channel "counter:*", PhoenixAppWeb.CounterChannel

  @impl true
  def connect(%{"token" => "bad"}, _socket, _connect_info), do: :error

  def connect(params, socket, _connect_info) do
    {:ok, assign(socket, params: params, id: user_id(params))}
  end

  @impl true
  def id(socket), do: socket.assigns.id

  @doc "Returns the id of a socket that connects with these params, or nil."
  def user_id(%{"user_id" => user_id}), do: "user:#{user_id}"
  def user_id(_params), do: nil
end
