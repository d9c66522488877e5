//! QEMU's *command line* describes the machine completely: there is no configuration file, and no
//! default device.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::Path;

use pyro_protocol::PORT_NAME;

use super::preload::FIRST_WITH_OPTION;
use super::version::Version;
use crate::accelerator::Accelerator;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::vmm::{Disks, Memory};

/// Host memory for translated code, in MiB. QEMU's default is 1 GiB for every machine; below 64 MiB
/// the cache is flushed and refilled all the time.
const TRANSLATION_CACHE_MIB: u32 = 256;

/// The card's address before there is a machine with one of its own.
const TEMPLATE_MAC: &str = "02:00:00:00:00:01";

/// The card lacks the features with which its driver would spend time in every clone: announcing
/// itself to the network, checking the link, setting the address.
const PLAIN_CARD: &str = "guest_announce=off,status=off,ctrl_vq=off,ctrl_rx=off,ctrl_vlan=off,\
                          ctrl_rx_extra=off,ctrl_mac_addr=off";

/// The host's processor without features that untrusted code does not need: nested virtualisation,
/// whose code in KVM had an escape (CVE-2021-29657), and performance counters.
const HARDWARE_CPU: &str = "host,-svm,-vmx,pmu=off";

/// The machine type for hardware: with KVM's own clock and the deadline timer of the local APIC,
/// the older timers and their interrupt controller are never used.
const HARDWARE_MACHINE: &str = "microvm,pit=off,pic=off,rtc=off";

/// The first version that shares one translation between several addresses of the same code. (7.2,
/// 8.0, 8.1 and 8.2 had it when they appeared; their stable versions reverted it.)
const FIRST_TO_SHARE_TRANSLATIONS: Version = Version { major: 9, minor: 0 };

/// QEMU's message about a machine whose card is not connected.
pub(crate) const NO_PEER: &str = "warning: nic card has no peer";

/// The file descriptors the VMM inherits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    /// The guest's agent.
    pub(crate) agent: RawFd,
    /// The guest's console.
    pub(crate) console: RawFd,
    /// QEMU's control protocol.
    pub(crate) control: RawFd,
    /// The network card's connection, if there is one.
    pub(crate) network: Option<RawFd>,
}

/// Returns the arguments for one machine.
pub(crate) fn command_line(
    platform: &Platform,
    spec: &MachineSpec,
    memory: Memory<'_>,
    disks: Disks<'_>,
    channels: Channels,
) -> Vec<OsString> {
    let mut line = CommandLine::default();
    line.memory(memory, spec.mem_mib, platform);
    match platform.accelerator {
        Accelerator::Kvm => line.pair("-accel", "kvm").pair("-cpu", HARDWARE_CPU),
        Accelerator::Tcg => line
            .pair("-accel", format!("tcg,tb-size={TRANSLATION_CACHE_MIB}"))
            .pair("-cpu", emulated_cpu(platform.program.version)),
    };
    line.pair("-smp", spec.vcpu_count.to_string());
    line.flag("-nodefaults")
        .flag("-no-user-config")
        .flag("-no-reboot")
        .pair("-display", "none");
    line.pair("-global", "virtio-mmio.force-legacy=false");

    line.pair(
        "-chardev",
        format!("socket,id=control,fd={}", channels.control),
    );
    line.pair("-mon", "chardev=control,mode=control");
    line.pair(
        "-chardev",
        format!("socket,id=console,fd={}", channels.console),
    );
    line.pair("-serial", "chardev:console");
    line.pair("-chardev", format!("socket,id=agent,fd={}", channels.agent));
    line.pair("-device", "virtio-serial-device,id=ports,max_ports=2");
    line.pair(
        "-device",
        format!("virtserialport,bus=ports.0,nr=1,chardev=agent,name={PORT_NAME}"),
    );

    line.drive("base", &spec.rootfs, "read-only=on");
    if let Some(seed) = disks.seed {
        line.drive("seed", seed, "read-only=on");
    }
    // By default QEMU pauses a machine whose disk file cannot grow, until an operator makes room
    // and resumes it. There is no operator here: let the guest have the error.
    line.drive("rw", disks.private, "discard=unmap,werror=report");
    if let Some(output) = disks.output {
        line.drive("output", output, "discard=unmap,werror=report");
    }
    if let Some(snapshot) = disks.snapshot {
        line.drive("snapshot", snapshot, "discard=unmap,werror=report");
    }
    // Every machine has the card, so that machines with and without a network are clones of one
    // template. The agent sets the address of each.
    let mut card = format!("virtio-net-device,id=card,mac={TEMPLATE_MAC},{PLAIN_CARD}");
    if let Some(network) = channels.network {
        line.pair(
            "-netdev",
            format!("stream,id=network,server=off,addr.type=fd,addr.str={network}"),
        );
        card.push_str(",netdev=network");
    }
    line.pair("-device", card);
    // There is no entropy device: the host sends the agent entropy before anything else, and every
    // clone would have to handle one more device.

    line.pair("-kernel", &spec.kernel);
    line.pair("-initrd", &spec.initramfs);
    line.pair("-append", kernel_arguments(platform));
    line.pair(
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    );
    line.arguments
}

/// The emulated processor. With `erms`, programs copy memory with an instruction that is emulated
/// byte by byte (three times slower); newer versions have `fsrm`, which has the same effect on the
/// kernel. A fifth level of page tables (`la57`) is one more to walk, and a small guest does not
/// need it; with `smap` the kernel changes a flag around every access to a program's memory, and
/// translations are cached separately for that flag.
fn emulated_cpu(version: Version) -> &'static str {
    if version.major >= 10 {
        "max,-la57,-smap,-erms,-fsrm"
    } else {
        "max,-la57,-smap,-erms"
    }
}

/// The guest kernel's arguments.
fn kernel_arguments(platform: &Platform) -> String {
    let mut arguments: Vec<String> = [
        // The console costs time for every byte, so only errors are printed.
        "console=ttyS0",
        "quiet",
        "8250.nr_uarts=1",
        "pci=off",
        // A panic ends the machine: the kernel reboots at once, on which QEMU exits.
        "panic=-1",
        "reboot=t",
        // The guest has a single tenant; mitigations between its own processes cost more here than
        // they give.
        "mitigations=off",
        "random.trust_cpu=on",
        "lsm=capability",
        "audit=0",
        "no_timer_check",
        "cryptomgr.notests",
        "rcupdate.rcu_expedited=1",
        // The guest has no use for pressure statistics, or for the watchdog.
        "psi=0",
        "nowatchdog",
        // Otherwise each clone would do the kernel's periodic work among the first: the kernel
        // updates these statistics often enough by itself, and compacts memory when it has to.
        "sysctl.vm.stat_interval=120",
        "sysctl.vm.compaction_proactiveness=0",
        // The guest has a single tenant, so freed memory may be seen there.
        "init_on_alloc=0",
    ]
    .map(str::to_owned)
    .into();
    if platform.accelerator == Accelerator::Kvm {
        // The kernel has no way to know that there is no clock of this kind. It would look for one
        // ten thousand times, each time with an exit to QEMU: over a second on hardware.
        arguments.push("initcall_blacklist=cmos_init".into());
    }
    if platform.accelerator == Accelerator::Tcg {
        // Without the rate, calibration may hang: this machine has no other clock.
        arguments.push(format!("tsc_early_khz={}", platform.tsc_khz));
        arguments.push("tsc=reliable".into());
        if platform.program.version < FIRST_TO_SHARE_TRANSLATIONS {
            // Translations are cached by virtual address: with random addresses each program would
            // be translated anew. The price is that programs in the guest have predictable layouts.
            arguments.push("norandmaps".into());
        }
    }
    arguments.join(" ")
}

#[derive(Debug, Default)]
struct CommandLine {
    arguments: Vec<OsString>,
}

impl CommandLine {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.arguments.push(name.into());
        self
    }

    fn pair(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.arguments.push(name.into());
        self.arguments.push(value.into());
        self
    }

    fn memory(&mut self, memory: Memory<'_>, mib: u32, platform: &Platform) {
        let version = platform.program.version;
        let machine = match platform.accelerator {
            Accelerator::Kvm => HARDWARE_MACHINE,
            Accelerator::Tcg => "microvm",
        };
        let (file, share) = match memory {
            Memory::Anonymous => {
                self.pair("-M", machine).pair("-m", mib.to_string());
                return;
            }
            Memory::Kept(file) => (file, "on"),
            Memory::Copied(file) => (file, "off"),
        };
        self.pair("-M", format!("{machine},memory-backend=memory"))
            .pair("-m", mib.to_string());
        // The template's file is opened for reading, although the memory is written. For older
        // versions a preloaded library does that.
        let is_copied = matches!(memory, Memory::Copied(_));
        let access = if is_copied && version >= FIRST_WITH_OPTION {
            "readonly=on,rom=off,"
        } else {
            ""
        };
        let options =
            format!("memory-backend-file,id=memory,size={mib}M,share={share},{access}mem-path=");
        let mut object = OsString::from(options);
        object.push(escape_commas(file));
        self.pair("-object", object);
        if is_copied {
            self.pair("-incoming", "defer");
        }
    }

    /// A raw disk that the guest finds by its serial, which is also its name in QEMU.
    fn drive(&mut self, name: &str, file: &Path, options: &str) {
        let mut drive = OsString::from(format!("if=none,id={name},format=raw,{options},file="));
        drive.push(escape_commas(file));
        self.pair("-drive", drive);
        self.pair(
            "-device",
            format!("virtio-blk-device,drive={name},serial={name}"),
        );
    }
}

/// In QEMU's option lists a comma in a value is written twice.
fn escape_commas(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        escaped.push(*byte);
        if *byte == b',' {
            escaped.push(b',');
        }
    }
    OsString::from_vec(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmm::qemu::Program;

    fn line_for(accelerator: Accelerator, network: Option<RawFd>) -> String {
        line_of("7.2.0", accelerator, network)
    }

    fn line_of(version: &str, accelerator: Accelerator, network: Option<RawFd>) -> String {
        let program = Program::new("/usr/bin/qemu".into(), version.into()).unwrap();
        let platform = Platform {
            program,
            accelerator,
            tsc_khz: 2_000_000,
            boot_id: String::new(),
            base_dir: "/base".into(),
            processor: String::new(),
            required: Vec::new(),
        };
        let spec = MachineSpec {
            vcpu_count: 2,
            mem_mib: 512,
            kernel: "/k".into(),
            initramfs: "/i".into(),
            rootfs: "/a,b".into(),
            network: network.is_some(),
        };
        let channels = Channels {
            agent: 7,
            console: 8,
            control: 9,
            network,
        };
        command_line(
            &platform,
            &spec,
            Memory::Anonymous,
            Disks {
                private: Path::new("/d"),
                seed: None,
                output: None,
                snapshot: None,
            },
            channels,
        )
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
    }

    #[test]
    fn every_machine_is_confined() {
        for accelerator in [Accelerator::Kvm, Accelerator::Tcg] {
            let line = line_for(accelerator, None);
            assert!(line.contains("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny"));
            assert!(line.contains("-nodefaults -no-user-config"));
            assert!(!line.contains("-netdev"), "no network unless asked for");
        }
    }

    #[test]
    fn guests_on_hardware_get_neither_its_hypervisor_nor_its_counters() {
        let line = line_for(Accelerator::Kvm, None);
        assert!(line.contains("-cpu host,-svm,-vmx,pmu=off"), "{line}");
        assert!(
            line.contains("-M microvm,pit=off,pic=off,rtc=off"),
            "{line}"
        );
        assert!(line.contains("initcall_blacklist=cmos_init"), "{line}");
    }

    #[test]
    fn emulation_needs_the_counter_rate_and_hardware_does_not() {
        assert!(line_for(Accelerator::Tcg, None).contains("tsc_early_khz=2000000"));
        assert!(!line_for(Accelerator::Kvm, None).contains("tsc_early_khz"));
    }

    #[test]
    fn layouts_are_predictable_only_where_that_saves_translating() {
        let is_predictable = |version: &str, accelerator| {
            line_of(version, accelerator, None).contains(" norandmaps")
        };
        for version in ["7.2.22", "8.2.2"] {
            assert!(is_predictable(version, Accelerator::Tcg), "{version}");
        }
        for version in ["9.0.0", "10.0.2", "11.1.3"] {
            assert!(!is_predictable(version, Accelerator::Tcg), "{version}");
        }
        for version in ["7.2.22", "10.0.2"] {
            assert!(!is_predictable(version, Accelerator::Kvm), "{version}");
        }
    }

    #[test]
    fn a_network_changes_nothing_but_what_the_card_is_connected_to() {
        let offline = line_for(Accelerator::Tcg, None);
        let online = line_for(Accelerator::Tcg, Some(12))
            .replace(
                "-netdev stream,id=network,server=off,addr.type=fd,addr.str=12 ",
                "",
            )
            .replace(",netdev=network", "");
        assert_eq!(online, offline);
    }

    #[test]
    fn a_comma_in_a_path_is_no_option() {
        assert!(line_for(Accelerator::Tcg, None).contains("read-only=on,file=/a,,b "));
    }
}
