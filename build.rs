//! Tells the linker how to make a Node-API addon when the `node` feature is on.

fn main() {
    #[cfg(feature = "node")]
    napi_build::setup();
}
