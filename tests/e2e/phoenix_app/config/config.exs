import Config

# Phoenix takes the options of a socket when the endpoint is compiled. After a change of one of
# these variables: `mix compile --force`.
number = fn name, default -> String.to_integer(System.get_env(name, default)) end

config :phoenix_app,
  websocket: [
    timeout: number.("WS_TIMEOUT", "60000"),
    max_frame_size: number.("WS_MAX_FRAME", "10000000"),
    compress: System.get_env("WS_COMPRESS", "true") == "true"
  ],
  longpoll: [window_ms: number.("LONGPOLL_WINDOW_MS", "10000")],
  max_channels: number.("MAX_CHANNELS", "1000000"),
  drainer: [batch_interval: number.("DRAIN_MS", "2000"), shutdown: number.("DRAIN_MS", "2000")]

config :phoenix_app, PhoenixAppWeb.Endpoint,
  adapter: Bandit.PhoenixAdapter,
  url: [host: "localhost"],
  pubsub_server: PhoenixApp.PubSub,
  render_errors: [formats: [json: PhoenixAppWeb.ErrorJSON], layout: false],
  # For tests on loopback; signs nothing that matters.
  secret_key_base: String.duplicate("reference application ", 4),
  # Clients that are no browsers send no Origin, and those of a test may send any.
  check_origin: false

config :phoenix, json_library: Jason

config :logger, level: :warning
