//! A stand-in for QEMU: see pyro-test.

fn main() {
    pyro_test::fake_vmm::main()
}
