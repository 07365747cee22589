//! `provide-terraform`: prints the path of a Terraform, which it installs into `target` where there is none.

#![expect(clippy::print_stdout, reason = "its output is a path")]

fn main() {
    println!("{}", chancery_tests::terraform().display());
}
