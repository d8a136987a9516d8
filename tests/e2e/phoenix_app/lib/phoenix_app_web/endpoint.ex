defmodule PhoenixAppWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :phoenix_app

  @websocket Application.compile_env!(:phoenix_app, :websocket)
  @longpoll Application.compile_env!(:phoenix_app, :longpoll)
  @drainer Application.compile_env!(:phoenix_app, :drainer)

  socket "/socket", PhoenixAppWeb.TrackedSocket,
    websocket: @websocket,
    longpoll: @longpoll,
    drainer: @drainer

  plug PhoenixAppWeb.Control
end
