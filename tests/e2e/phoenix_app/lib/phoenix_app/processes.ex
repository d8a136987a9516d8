defmodule PhoenixApp.Processes do
  @moduledoc """
  The transport and channel processes that there are; each enters itself, and its end removes it.

  Asked here and not of the transports themselves, so that the numbers are there while those are
  suspended.
  """

  def register_transport(transport, id) do
    {:ok, _} = Registry.register(__MODULE__, :transport, {transport, id})
    :ok
  end

  def register_channel(topic) do
    {:ok, _} = Registry.register(__MODULE__, :channel, topic)
    :ok
  end

  @doc "Returns `{pid, {transport, id}}` of each transport."
  def transports, do: Registry.lookup(__MODULE__, :transport)

  @doc "Returns `{pid, topic}` of each channel."
  def channels, do: Registry.lookup(__MODULE__, :channel)

  @doc "Ends every transport: the peer sees the end of the stream and no close frame."
  def kill_transports, do: kill(transports())

  @doc "Kills the channels of a topic, or all of them: clients get phx_error."
  def kill_channels(nil), do: kill(channels())
  def kill_channels(topic), do: kill(for {_, ^topic} = entry <- channels(), do: entry)

  @doc "Suspends every present transport for a time: nothing is read and nothing answered."
  def freeze(ms) do
    pids = for {pid, _} <- transports(), do: pid

    # What it suspends is resumed when the task ends.
    Task.Supervisor.start_child(PhoenixApp.TaskSupervisor, fn ->
      Enum.each(pids, &suspend/1)
      Process.sleep(ms)
    end)

    length(pids)
  end

  defp suspend(pid) do
    :erlang.suspend_process(pid)
  rescue
    # It has ended meanwhile.
    ArgumentError -> false
  end

  defp kill(entries) do
    Enum.each(entries, fn {pid, _} -> Process.exit(pid, :kill) end)
    length(entries)
  end
end
