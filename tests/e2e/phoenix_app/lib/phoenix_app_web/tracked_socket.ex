defmodule PhoenixAppWeb.TrackedSocket do
  @moduledoc """
  `PhoenixAppWeb.UserSocket`, whose transport processes enter themselves in `PhoenixApp.Processes`.
  """

  @behaviour Phoenix.Socket.Transport

  alias PhoenixApp.Processes
  alias PhoenixAppWeb.UserSocket

  @impl true
  defdelegate child_spec(opts), to: UserSocket

  @impl true
  defdelegate drainer_spec(opts), to: UserSocket

  @impl true
  def connect(%{transport: transport, params: params} = info) do
    with {:ok, state} <- UserSocket.connect(info) do
      {:ok, {transport, UserSocket.user_id(params), state}}
    end
  end

  @impl true
  def init({transport, id, state}) do
    :ok = Processes.register_transport(transport, id)
    UserSocket.init(state)
  end

  @impl true
  defdelegate handle_in(message, state), to: UserSocket

  @impl true
  defdelegate handle_info(message, state), to: UserSocket

  @impl true
  defdelegate terminate(reason, state), to: UserSocket
end
