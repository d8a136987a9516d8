defmodule PhoenixAppWeb.Presence do
  use Phoenix.Presence, otp_app: :phoenix_app, pubsub_server: PhoenixApp.PubSub
end
