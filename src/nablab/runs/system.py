"""Where nablab runs: what holds folders and watches processes is not everywhere."""

NOT_ON_WINDOWS = "nablab runs on Linux and macOS; on Windows, install and run it inside of WSL"
