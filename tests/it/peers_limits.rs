//! L09: one processor. Needs taskset.

use serde_json::{Value, json};

use crate::limits::{EVERY_FORM, Life, large, lives};
use crate::support::{TestEnv, architecture};

#[test]
#[ignore = "needs taskset"]
fn l09_on_one_processor_an_index_of_64_platforms_is_fetched_carried_and_built_on() {
    let env = TestEnv::new();
    let other =
        |number| json!({"os": "linux", "architecture": "riscv64", "variant": format!("v{number}")});
    let mut platforms: Vec<Value> = (1..64).map(other).collect();
    platforms.insert(0, json!({"os": "linux", "architecture": architecture()}));
    let life = Life {
        wrapper: &["taskset", "-c", "0"],
        limit: "",
        forms: &EVERY_FORM,
        outputs: "--oci-archive @/a.tar",
    };
    lives(&large(&env, 3, &platforms), &life);
}
