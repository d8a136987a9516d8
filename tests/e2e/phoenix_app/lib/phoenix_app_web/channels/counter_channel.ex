defmodule PhoenixAppWeb.CounterChannel do
  @moduledoc "`counter:*`: sums, and a ledger of what was received."

  use Phoenix.Channel

  alias PhoenixApp.{Ledger, Processes}

  @impl true
  def join(topic, params, socket) do
    :ok = Processes.register_channel(topic)
    {:ok, %{joined: topic, params: params}, assign(socket, :sum, 0)}
  end

  @impl true
  def handle_in("add", %{"n" => n}, socket) do
    sum = socket.assigns.sum + n
    total = Ledger.add(socket.topic, n)
    {:reply, {:ok, %{sum: sum, total: total}}, assign(socket, :sum, sum)}
  end

  def handle_in("seq", payload, socket) do
    {:reply, {:ok, %{count: Ledger.record(socket.topic, payload)}}, socket}
  end

  def handle_in("seq_noreply", payload, socket) do
    Ledger.record(socket.topic, payload)
    {:noreply, socket}
  end

  def handle_in("dump", _payload, socket) do
    {:reply, {:ok, %{items: Ledger.items(socket.topic)}}, socket}
  end

  def handle_in("reset", _payload, socket) do
    Ledger.reset(socket.topic)
    {:reply, :ok, socket}
  end

  def handle_in("crash", _payload, _socket), do: raise("asked to crash")
end
