defmodule PhoenixAppWeb.PresenceChannel do
  @moduledoc "`presence:*`: tracks `params[\"name\"]`, and changes or tells presences."

  use Phoenix.Channel

  alias PhoenixApp.Processes
  alias PhoenixAppWeb.Presence

  @impl true
  def join(topic, params, socket) do
    name = to_string(Map.get(params, "name", "anon"))
    send(self(), {:after_join, params["meta"] || %{}})
    :ok = Processes.register_channel(topic)
    {:ok, %{joined: topic, name: name}, assign(socket, :name, name)}
  end

  @impl true
  def handle_info({:after_join, meta}, socket) do
    push(socket, "presence_state", Presence.list(socket))
    meta = Map.merge(%{online_at: System.system_time(:second)}, meta)
    {:ok, _ref} = Presence.track(socket, socket.assigns.name, meta)
    {:noreply, socket}
  end

  @impl true
  def handle_in("update", meta, socket) do
    {:ok, _ref} = Presence.update(socket, socket.assigns.name, meta)
    {:reply, :ok, socket}
  end

  def handle_in("untrack", _payload, socket) do
    :ok = Presence.untrack(socket, socket.assigns.name)
    {:reply, :ok, socket}
  end

  def handle_in("list", _payload, socket), do: {:reply, {:ok, Presence.list(socket)}, socket}
  def handle_in("crash", _payload, _socket), do: raise("asked to crash")
end
