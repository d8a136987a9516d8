defmodule PhoenixApp.Ledger do
  @moduledoc """
  What the counter topics received, in the order received, and their sums.

  It outlives channels and sockets, so that a test can ask what really arrived.
  """

  use Agent

  def start_link(_opts), do: Agent.start_link(fn -> %{} end, name: __MODULE__)

  @doc "Keeps a payload; returns how many there are."
  def record(topic, payload) do
    update(topic, fn entry ->
      entry = %{entry | items: [payload | entry.items], count: entry.count + 1}
      {entry.count, entry}
    end)
  end

  @doc "Adds to a topic's sum; returns it."
  def add(topic, n) do
    update(topic, fn entry -> {entry.total + n, %{entry | total: entry.total + n}} end)
  end

  @doc "Returns the payloads in the order received."
  def items(topic) do
    Agent.get(__MODULE__, fn topics -> topics |> entry(topic) |> Map.fetch!(:items) end)
    |> Enum.reverse()
  end

  @doc "Forgets a topic."
  def reset(topic), do: Agent.update(__MODULE__, &Map.delete(&1, topic))

  @doc "Forgets all topics."
  def reset, do: Agent.update(__MODULE__, fn _topics -> %{} end)

  defp update(topic, fun) do
    Agent.get_and_update(__MODULE__, fn topics ->
      {result, entry} = topics |> entry(topic) |> fun.()
      {result, Map.put(topics, topic, entry)}
    end)
  end

  defp entry(topics, topic), do: Map.get(topics, topic, %{items: [], count: 0, total: 0})
end
