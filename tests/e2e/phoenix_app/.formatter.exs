[
  import_deps: [:phoenix, :plug],
  inputs: ["*.{ex,exs}", "{config,lib}/**/*.{ex,exs}"]
]
