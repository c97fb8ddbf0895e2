//! The command line.

fn main() -> std::process::ExitCode {
    let runtime = match docker_exec_websocket::runtime::builder().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dew: cannot start: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let arguments = std::env::args_os().collect();
    let status = runtime.block_on(docker_exec_websocket::cli::run(arguments));
    // The process ends here and now: a thread may be stuck reading the terminal.
    std::process::exit(status)
}
