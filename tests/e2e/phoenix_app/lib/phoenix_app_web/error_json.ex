defmodule PhoenixAppWeb.ErrorJSON do
  @moduledoc "Answers requests that raise; without it each would be a 500."

  def render(template, _assigns) do
    %{error: Phoenix.Controller.status_message_from_template(template)}
  end
end
