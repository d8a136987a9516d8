defmodule PhoenixApp.Application do
  @moduledoc false

  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Phoenix.PubSub, name: PhoenixApp.PubSub},
      {Registry, keys: :duplicate, name: PhoenixApp.Processes},
      {Task.Supervisor, name: PhoenixApp.TaskSupervisor},
      PhoenixApp.Ledger,
      PhoenixAppWeb.Presence,
      PhoenixAppWeb.Endpoint
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: PhoenixApp.Supervisor)
  end

  @impl true
  def config_change(changed, _new, removed) do
    PhoenixAppWeb.Endpoint.config_change(changed, removed)
    :ok
  end
end
