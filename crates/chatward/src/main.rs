//! The program `chatward`.

fn main() -> std::process::ExitCode {
    chatward::cli::main()
}
