//! Links the plugin so that the host's `dlclose` leaves its code mapped: a thread of the C
//! library may still run a destructor of ours when a hot reload unloads the plugin.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
