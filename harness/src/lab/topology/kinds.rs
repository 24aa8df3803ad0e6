//! The kinds of node containerlab knows: those that can be run, and for all others what they would need.

use super::types::NodeKind;
use crate::lab::yaml::{Diagnostics, Spanned, nearest};

/// The kinds that can be run.
const RUN: &[(&str, NodeKind)] = &[
    ("linux", NodeKind::Linux),
    ("bridge", NodeKind::Bridge),
    ("host", NodeKind::Host),
    ("ext-container", NodeKind::ExtContainer),
    ("k8s-kind", NodeKind::K8sKind),
];

/// What a kind that is refused would need.
enum Needs {
    /// A container image of the vendor's.
    Image(&'static str),
    /// A virtual machine in a container: the vendor's disk image, packed by vrnetlab, and KVM.
    Machine(&'static str),
    /// Something else, in words.
    Other(&'static str),
}

use Needs::{Image, Machine, Other};

/// The kinds of containerlab, renamed ones under all their names, that are refused.
const REFUSED: &[(&[&str], Needs)] = &[
    (&["srl", "nokia_srlinux"], Image("Nokia SR Linux")),
    (&["nokia_srsim"], Image("Nokia SR-SIM")),
    (&["ceos", "arista_ceos"], Image("Arista cEOS")),
    (&["crpd", "juniper_crpd"], Image("Juniper cRPD")),
    (&["csrx", "juniper_csrx"], Image("Juniper cSRX")),
    (&["juniper_cjunosevolved", "cjunosevolved"], Image("Juniper cJunosEvolved")),
    (&["xrd", "cisco_xrd", "cisco_xrd_vrouter"], Image("Cisco XRd")),
    (&["c8000", "cisco_c8000"], Image("Cisco 8000")),
    (&["cisco_iol", "iol"], Image("Cisco IOL")),
    (&["sonic-vs"], Image("SONiC")),
    (&["cvx", "cumulus_cvx", "nvidia_cvx"], Image("Cumulus VX")),
    (&["rare"], Image("RARE freeRtr")),
    (&["keysight_ixia-c-one"], Image("Keysight IXIA-C")),
    (&["fdio_vpp"], Image("FD.io VPP")),
    (&["6wind_vsr"], Image("6WIND VSR")),
    (&["arrcus_arcos", "arcos"], Image("Arrcus ArcOS")),
    (&["vyosnetworks_vyos", "vyos"], Image("VyOS")),
    (&["spirent_stc"], Image("Spirent TestCenter")),
    (&["sonic-vm"], Machine("SONiC")),
    (&["dell_sonic"], Machine("Dell SONiC")),
    (&["vr-sros", "vr-nokia_sros", "nokia_sros"], Machine("Nokia SR OS")),
    (&["vr-vmx", "vr-juniper_vmx", "juniper_vmx"], Machine("Juniper vMX")),
    (&["vr-vqfx", "vr-juniper_vqfx", "juniper_vqfx"], Machine("Juniper vQFX")),
    (&["vr-vsrx", "vr-juniper_vsrx", "juniper_vsrx"], Machine("Juniper vSRX")),
    (&["vr-vjunosrouter", "juniper_vjunosrouter"], Machine("Juniper vJunos-router")),
    (&["vr-vjunosswitch", "juniper_vjunosswitch"], Machine("Juniper vJunos-switch")),
    (&["vr-vjunosevolved", "juniper_vjunosevolved"], Machine("Juniper vJunosEvolved")),
    (&["juniper_apstra"], Machine("Juniper Apstra")),
    (&["vr-xrv", "vr-cisco_xrv", "cisco_xrv"], Machine("Cisco XRv")),
    (&["vr-xrv9k", "vr-cisco_xrv9k", "cisco_xrv9k"], Machine("Cisco XRv 9000")),
    (&["vr-csr", "vr-cisco_csr", "vr-cisco_csr1000v", "cisco_csr1000v"], Machine("Cisco CSR 1000V")),
    (&["vr-c8000v", "vr-cisco_c8000v", "cisco_c8000v"], Machine("Cisco c8000v")),
    (&["vr-n9kv", "vr-cisco_n9kv", "cisco_n9kv"], Machine("Cisco Nexus 9000v")),
    (&["vr-nxos", "vr-cisco_nxos"], Machine("Cisco NX-OS")),
    (&["vr-cat9kv", "vr-cisco_cat9kv", "cisco_cat9kv"], Machine("Cisco Catalyst 9000v")),
    (&["vr-ftdv", "vr-cisco_ftdv", "cisco_ftdv"], Machine("Cisco FTDv")),
    (&["cisco_asav"], Machine("Cisco ASAv")),
    (&["cisco_sdwan"], Machine("Cisco SD-WAN")),
    (&["cisco_vios", "cisco_viosl2"], Machine("Cisco vIOS")),
    (&["vr-veos", "vr-arista_veos", "arista_veos"], Machine("Arista vEOS")),
    (&["vr-pan", "vr-paloalto_panos", "paloalto_panos"], Machine("Palo Alto PAN-OS")),
    (&["vr-ros", "vr-mikrotik_ros", "mikrotik_ros"], Machine("MikroTik RouterOS")),
    (&["vr-ftosv", "vr-dell_ftosv", "dell_ftosv"], Machine("Dell FTOSv")),
    (&["vr-aoscx", "vr-aruba_aoscx", "aruba_aoscx"], Machine("Aruba AOS-CX")),
    (&["ipinfusion_ocnos", "vr-ipinfusion_ocnos"], Machine("IPInfusion OcNOS")),
    (&["checkpoint_cloudguard"], Machine("Check Point CloudGuard")),
    (&["vr-fortinet_fortigate", "fortinet_fortigate"], Machine("Fortinet FortiGate")),
    (&["huawei_vrp", "vr-huawei_vrp", "huawei_n40e"], Machine("Huawei VRP")),
    (&["ciena_saos"], Machine("Ciena SAOS")),
    (&["f5_bigip-ve", "f5_bigip_ve"], Machine("F5 BIG-IP VE")),
    (&["openbsd", "vr-openbsd"], Machine("OpenBSD")),
    (&["freebsd", "vr-freebsd"], Machine("FreeBSD")),
    (&["openwrt"], Machine("OpenWrt")),
    (&["generic_vm"], Machine("your system")),
    (&["ovs-bridge"], Other("Open vSwitch on the host; write `kind: bridge` for a plain Linux bridge")),
    (&["border0", "mysocketio"], Other("an account of that service and a way out of the lab")),
    (&["frr"], Other("containerlab's FRR image; write `kind: linux` and start FRR by `exec` lines")),
];

/// The kind a word names, or an error: a kind that is known but cannot be run says what it would need, any other word
/// the nearest known one.
pub(super) fn kind(word: &Spanned<String>, ctx: &mut Diagnostics) -> Option<NodeKind> {
    // containerlab compares kinds in lower case.
    let wanted = word.value.to_lowercase();
    if let Some((_, kind)) = RUN.iter().find(|(name, _)| *name == wanted) {
        return Some(*kind);
    }
    if let Some((_, needs)) = REFUSED.iter().find(|(names, _)| names.contains(&wanted.as_str())) {
        let help = match needs {
            Image(product) => format!(
                "it would need the container image of {product}, which is not run here; `kind: linux` with FRR can stand in for a BGP router"
            ),
            Machine(product) => format!(
                "it would need {product} as a virtual machine (KVM and an image packed by vrnetlab), which is not run here; `kind: linux` with FRR can stand in for a BGP router"
            ),
            Other(needs) => format!("it would need {needs}"),
        };
        ctx.error(&word.at, format!("a node of kind `{}` cannot be run", word.value)).help(help);
        return None;
    }
    let all = RUN.iter().map(|(name, _)| *name);
    let refused = REFUSED.iter().flat_map(|(names, _)| names.iter().copied());
    let listed = all.clone().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let help = match nearest(&wanted, all.chain(refused)) {
        Some(near) => format!("did you mean `{near}`? The kinds that can be run are {listed}"),
        None => format!("the kinds that can be run are {listed}"),
    };
    ctx.error(&word.at, format!("containerlab has no kind of node `{}`", word.value)).help(help);
    None
}
