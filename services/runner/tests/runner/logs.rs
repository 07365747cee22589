//! Secrets of real jobs in their logs.

use chancery_runner::{Outcome, Transition};

use crate::archives::main_tf;
use crate::world::{World, job};

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_reach_the_log_in_any_form() {
    let world = World::new();
    let archive = main_tf(
        r#"variable "token" { sensitive = true }
           output "generated" {
             value     = "of-the-output-${upper(var.token)}"
             sensitive = true
           }
           resource "terraform_data" "a" {
             provisioner "local-exec" {
               command = <<-EOT
                 echo "plain $SECRET."
                 printf 'basic %s' "$(printf 'ada:%s' "$SECRET" | base64 -w0)"; echo
                 printf 'torn %s' "$(printf %s "$SECRET" | cut -c1-9)"; sleep 0.5; printf %s "$SECRET" | cut -c10-
                 printf %s "$SECRET" | cut -c1-9; printf %s "$SECRET" | cut -c10-
                 echo "minted $MINTED."
                 echo "hex $(printf %s "$SECRET" | od -An -tx1 | tr -d ' \n')"
               EOT
             }
           }"#,
    );
    let (token, minted) = ("hunter2/with+signs=", "minted-for-this-job");
    let mut start = job("start", Transition::Start, &archive);
    // The script gets it by the environment, so that Terraform does not know that it is shown.
    start.parameters = [("token".to_owned(), token.to_owned())].into();
    start.secrets = [("SECRET".to_owned(), token.to_owned()), ("MINTED".to_owned(), minted.to_owned())].into();
    let heard = world.build(start, archive).await;
    assert_eq!(heard.end().outcome, Outcome::Succeeded, "{:?}", heard.end());
    heard.assert_proven();
    let text = heard.text();
    let joined = text.replace('\n', "");
    for secret in [token, minted, "aHVudGVyMi93aXRoK3NpZ25z", "68756e746572322f", "hunter2"] {
        assert!(!joined.contains(secret), "{secret} is in {text}");
    }
    for said in ["plain ***.", "minted ***.", "basic ", "hex ***"] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
}
