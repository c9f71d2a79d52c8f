//! Details and boot components where a log is not as honest as the real ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use assay_eventlog::{
    AAEL_TAG, BootRole, Details, EventLog, EventLogBuilder, EventType, LogEnd, TcgAlgorithm, boot_claims,
};
use serde_json::{Value, json};

const SHA384: TcgAlgorithm = TcgAlgorithm::Sha384;

fn builder() -> EventLogBuilder {
    EventLogBuilder::new(&[SHA384]).unwrap()
}

fn parse(log: &EventLogBuilder) -> EventLog {
    EventLog::parse(log.build(LogEnd::Marker)).unwrap()
}

fn details(event_type: EventType, data: &[u8]) -> Value {
    let mut log = builder();
    log.event(1, event_type, data).unwrap();
    parse(&log).events().next().unwrap().details().to_claims()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn tagged(tag: u32, text: &[u8]) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat()
}

fn image(path: &[u8]) -> Vec<u8> {
    [&[0; 24][..], &(path.len() as u64).to_le_bytes(), path].concat()
}

fn node(kind: u8, subtype: u8, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len() + 4).unwrap().to_le_bytes();
    [&[kind, subtype][..], &len, data].concat()
}

const END: [u8; 4] = [0x7f, 0xff, 4, 0];

#[test]
fn data_that_is_not_what_its_type_asks_for() {
    let cases: Vec<(EventType, Vec<u8>, &str)> = vec![
        (EventType::EFI_ACTION, vec![0xff], "not UTF-8"),
        (EventType::IPL, vec![b'a'], "shorter than two bytes"),
        (EventType::EVENT_TAG, vec![1, 2, 3], "the tagged event has no tag"),
        (EventType::EVENT_TAG, vec![0; 7], "the tagged event has no size"),
        (
            EventType::EVENT_TAG,
            [[0; 4], [0xff; 4]].concat(),
            "the tagged event is shorter than its size says",
        ),
        (EventType::EVENT_TAG, tagged(AAEL_TAG, b"one two"), "the tag is AAEL's, the text is no AAEL entry"),
        (
            EventType::EVENT_TAG,
            [tagged(AAEL_TAG, b"a b c"), b" d".to_vec()].concat(),
            "bytes follow the AAEL entry",
        ),
        (EventType::EFI_HANDOFF_TABLES2, vec![], "the description is shorter than its length says"),
        (EventType::EFI_HANDOFF_TABLES2, vec![2, b'a'], "the description is shorter than its length says"),
        (EventType::EFI_VARIABLE_BOOT, vec![0; 31], "the variable is shorter than its lengths say"),
        (
            EventType::EFI_VARIABLE_BOOT,
            [[0; 16], [0xff; 16]].concat(),
            "the variable is shorter than its lengths say",
        ),
        (
            EventType::EFI_VARIABLE_BOOT,
            [&[0; 16][..], &1_u64.to_le_bytes(), &0_u64.to_le_bytes(), &[0, 0xd8]].concat(),
            "the variable's name is not UTF-16",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            vec![0; 31],
            "the image load event is shorter than its lengths say",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            [&[0; 24][..], &[0xff; 8]].concat(),
            "the image load event is shorter than its lengths say",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            image(&node(4, 4, &utf16("a"))),
            "the device path has no end node",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            image(&[4, 4, 3, 0]),
            "a device path node is shorter than its header",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            image(&[4, 4, 0xff, 0xff]),
            "a device path node is longer than the path",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            image(&[END, END].concat()),
            "bytes follow the device path's end",
        ),
        (
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            image(&[node(1, 1, &[0, 0]).repeat(65), END.to_vec()].concat()),
            "the device path has more than 64 nodes",
        ),
    ];
    for (event_type, data, why) in cases {
        assert_eq!(details(event_type, &data), json!({"undecoded": why}), "{event_type} {data:x?}");
    }
}

#[test]
fn device_paths_as_text() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (node(1, 1, &[2, 3]), "Pci(2,3)"),
        (node(1, 1, &[2]), "Path(1,1,02)"),
        (node(2, 1, &[0xd0, 0x41, 0x03, 0x0a, 2, 0, 0, 0]), "ACPI(PNP0A03,2)"),
        (node(3, 5, &[1, 2]), "USB(1,2)"),
        (node(4, 4, &utf16("\\EFI\\ü.efi")), "File(\\EFI\\ü.efi)"),
        (node(4, 4, &[]), "Path(4,4,)"),
        (node(4, 4, &[0, 0, 0]), "Path(4,4,000000)"),
        (node(4, 3, &[0; 17]), "VenMedia(00000000-0000-0000-0000-000000000000,00)"),
        (node(4, 1, &[[0; 36].as_slice(), &[1, 1]].concat()), "HD(0,MBR,0x00000000)"),
        (
            node(
                4,
                1,
                &hex::decode("0100000022000000000000000000710200000000009ae315d21d00108d7f00a0c92408fc0202")
                    .unwrap(),
            ),
            "HD(1,GPT,15E39A00-1DD2-1000-8D7F-00A0C92408FC,0x22,0x2710000)",
        ),
        (node(6, 1, &[0xab]), "Path(6,1,ab)"),
    ];
    for (node, text) in cases {
        let data = image(&[&node[..], &END].concat());
        let claims = details(EventType::EFI_BOOT_SERVICES_APPLICATION, &data);
        assert_eq!(claims, json!({"device_paths": [text]}));
    }
}

#[test]
fn boot_loader_texts() {
    let ipl = |data: &[u8]| details(EventType::IPL, data)["string"].as_str().unwrap().to_owned();
    assert_eq!(ipl(b"MokList\0"), "MokList");
    assert_eq!(ipl(b"grub_cmd set pager=1\0\x9f"), "grub_cmd set pager=1");
    assert_eq!(ipl(&utf16(".linux")), "linux");
    assert_eq!(ipl(&utf16("root=/dev/vda")), "root=/dev/vda");
    assert_eq!(ipl(&[0xff, 0xfe]), "fffe");
}

#[test]
fn an_event_of_an_unknown_type_is_kept() {
    let mut log = builder();
    log.event(1, EventType(0x1f), b"x").unwrap();
    let log = parse(&log);
    let claims = assay_eventlog::event_claims(log.events(), SHA384);
    assert_eq!(claims[0]["type_name"], "0x0000001f");
    assert_eq!(claims[0]["details"], json!({}));
    assert_eq!(claims[0]["event"], "eA==");
    assert_eq!(log.events().next().unwrap().details(), Details::None);
}

#[test]
fn a_command_line_that_was_not_measured_is_marked() {
    let mut log = builder();
    log.event_of(3, EventType::IPL, b"/vmlinuz root=/dev/vda", b"kernel_cmdline: /vmlinuz root=/dev/vda\0")
        .unwrap();
    log.event_of(3, EventType::IPL, b"/vmlinuz evil", b"kernel_cmdline: /vmlinuz root=/dev/vda\0").unwrap();
    let log = parse(&log);
    let components = log.boot_components(SHA384, 1..=3).unwrap();
    let claims = boot_claims(&components, SHA384);
    let lines = claims["kernel_command_line"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["text"], lines[1]["text"]);
    assert_eq!(lines[0]["digest_matches_text"], true);
    assert_eq!(lines[1]["digest_matches_text"], false);
    assert!(lines.iter().all(|line| line["digest_matches_event"] == false));
}

#[test]
fn td_shims_command_line_that_was_not_measured_is_marked() {
    let info = |text: &[u8]| {
        let mut data = b"td_payload_info\0\x00\x10\0\0".to_vec();
        data.extend_from_slice(text);
        data.resize(20 + 0x1000, 0);
        data
    };
    let (honest, lie) = (info(b"ro quiet"), info(b"rw debug"));
    let mut log = builder();
    log.event_of(2, EventType::PLATFORM_CONFIG_FLAGS, &honest[20..], &honest).unwrap();
    log.event_of(2, EventType::PLATFORM_CONFIG_FLAGS, &honest[20..], &lie).unwrap();
    let log = parse(&log);
    let found: Vec<_> = log
        .boot_components(SHA384, 1..=3)
        .unwrap()
        .iter()
        .map(|c| (c.role, c.text.unwrap().to_owned(), c.digest_matches_text))
        .collect();
    assert_eq!(
        found,
        [
            (BootRole::KernelCommandLine, "ro quiet".to_owned(), true),
            (BootRole::KernelCommandLine, "rw debug".to_owned(), false),
        ]
    );
}

#[test]
fn a_command_that_was_not_measured_names_no_file() {
    let grub = |measured: &[u8]| {
        let mut log = builder();
        log.event_of(3, EventType::IPL, measured, b"grub_cmd: linux /vmlinuz quiet\0").unwrap();
        log.event_of(3, EventType::IPL, b"the kernel", b"/vmlinuz\0").unwrap();
        log.event_of(3, EventType::IPL, b"initrd /a newc:b:/c", b"grub_cmd: initrd /a newc:b:/c\0").unwrap();
        for file in ["/a", "/b", "/c"] {
            log.event_of(3, EventType::IPL, b"a disk", format!("{file}\0").as_bytes()).unwrap();
        }
        let log = parse(&log);
        let components = log.boot_components(SHA384, 1..=3).unwrap();
        let files: Vec<_> =
            components.iter().filter_map(|c| Some((c.role, c.label.clone()?))).collect::<Vec<_>>();
        files
    };
    let disks = [(BootRole::Initrd, "/a".to_owned()), (BootRole::Initrd, "/c".to_owned())];
    assert_eq!(grub(b"linux /other quiet"), disks);
    let mut all = vec![(BootRole::Kernel, "/vmlinuz".to_owned())];
    all.extend(disks);
    assert_eq!(grub(b"linux /vmlinuz quiet"), all);
}

#[test]
fn a_command_that_names_very_many_files_costs_no_more_for_each_event() {
    let command = format!("initrd{}", " /a".repeat(1 << 18));
    let mut log = builder();
    log.event_of(3, EventType::IPL, command.as_bytes(), format!("grub_cmd: {command}").as_bytes()).unwrap();
    for _ in 0..1 << 15 {
        log.event_of(3, EventType::IPL, b"", b"/b\0").unwrap();
    }
    log.event_of(3, EventType::IPL, b"", b"/a\0").unwrap();
    let log = parse(&log);
    // One by one that would be eight thousand million comparisons.
    let start = std::time::Instant::now();
    let components = log.boot_components(SHA384, 1..=3).unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    let roles: Vec<_> = components.iter().map(|component| component.role).collect();
    assert_eq!(roles, [BootRole::BootLoaderCommand, BootRole::Initrd]);
}

#[test]
fn components_come_from_bound_events_only() {
    let kernel = image(&[&node(4, 4, &utf16("kernel"))[..], &END].concat());
    let kind = EventType::EFI_BOOT_SERVICES_APPLICATION;
    let mut log = builder();
    log.event_of(2, kind, b"kernel", &kernel).unwrap();
    // In the register for what runs later, in none, with two digests, without one.
    log.event_of(4, kind, b"kernel", &kernel).unwrap();
    log.event_of(0, kind, b"kernel", &kernel).unwrap();
    log.event_with(2, kind, &[(SHA384, &[1; 48]), (SHA384, &[2; 48])], &kernel).unwrap();
    log.event_with(2, kind, &[], &kernel).unwrap();
    let log = parse(&log);
    let components = log.boot_components(SHA384, 1..=3).unwrap();
    assert_eq!(components.len(), 1);
    assert_eq!((components[0].role, components[0].event.position), (BootRole::Kernel, 0));
}
