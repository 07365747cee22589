//! x
fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "runner-exec" => chancery_runner::runner_exec(rest),
        _ => Ok(()),
    }
}
