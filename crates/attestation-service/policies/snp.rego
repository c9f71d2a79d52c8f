
# AMD SEV-SNP.

executables := 3 if {
	input.snp
	input.snp.measurement in query_reference_value("snp_launch_measurement")
}

hardware := 2 if {
	input.snp
	snp_tcb_wanted
	snp_fmc_wanted
}

snp_tcb_wanted if {
	input.snp.reported_tcb_bootloader in query_reference_value("snp_bootloader")
	input.snp.reported_tcb_microcode in query_reference_value("snp_microcode")
	input.snp.reported_tcb_snp in query_reference_value("snp_snp_svn")
	input.snp.reported_tcb_tee in query_reference_value("snp_tee_svn")
}

# Only Turin has the FMC component.
snp_fmc_wanted if not input.snp.reported_tcb_fmc >= 0

snp_fmc_wanted if input.snp.reported_tcb_fmc in query_reference_value("snp_fmc")

snp_closed if {
	input.snp.policy_debug_allowed == false
	input.snp.policy_migrate_ma == false
}

snp_platform_wanted if {
	input.snp.platform_smt_enabled in query_reference_value("snp_smt_enabled")
	input.snp.platform_tsme_enabled in query_reference_value("snp_tsme_enabled")
	input.snp.policy_abi_major in query_reference_value("snp_guest_abi_major")
	input.snp.policy_abi_minor in query_reference_value("snp_guest_abi_minor")
	input.snp.policy_single_socket in query_reference_value("snp_single_socket")
	input.snp.policy_smt_allowed in query_reference_value("snp_smt_allowed")
}

# 96: the host may read the guest's memory, whatever else holds. 2: a known and approved
# configuration. 3: closed against the host, but the platform is not compared with reference values.
configuration := 96 if {
	input.snp.policy_debug_allowed == true
} else := 2 if {
	input.snp
	snp_closed
	snp_platform_wanted
} else := 3 if {
	input.snp
	snp_closed
}

findings contains {
	"code": "APR-SNP-001",
	"claim": "executables",
	"reference_value": "snp_launch_measurement",
	"expected": shown(query_reference_value("snp_launch_measurement")),
	"found": input.snp.measurement,
	"detail": "the launch measurement is not one of the reference values",
	"remedy": "start the guest from the expected image, or register its measurement as snp_launch_measurement",
} if {
	input.snp
	not input.snp.measurement in query_reference_value("snp_launch_measurement")
}

findings contains {
	"code": "APR-SNP-002",
	"claim": "hardware",
	"reference_value": "snp_bootloader",
	"expected": shown(query_reference_value("snp_bootloader")),
	"found": input.snp.reported_tcb_bootloader,
	"detail": "the reported TCB is not one of the reference values",
	"remedy": "update the platform's firmware, or register the value once it is judged safe",
} if {
	input.snp
	not input.snp.reported_tcb_bootloader in query_reference_value("snp_bootloader")
}

findings contains {
	"code": "APR-SNP-003",
	"claim": "hardware",
	"reference_value": "snp_microcode",
	"expected": shown(query_reference_value("snp_microcode")),
	"found": input.snp.reported_tcb_microcode,
	"detail": "the reported TCB is not one of the reference values",
	"remedy": "update the platform's firmware, or register the value once it is judged safe",
} if {
	input.snp
	not input.snp.reported_tcb_microcode in query_reference_value("snp_microcode")
}

findings contains {
	"code": "APR-SNP-004",
	"claim": "hardware",
	"reference_value": "snp_snp_svn",
	"expected": shown(query_reference_value("snp_snp_svn")),
	"found": input.snp.reported_tcb_snp,
	"detail": "the reported TCB is not one of the reference values",
	"remedy": "update the platform's firmware, or register the value once it is judged safe",
} if {
	input.snp
	not input.snp.reported_tcb_snp in query_reference_value("snp_snp_svn")
}

findings contains {
	"code": "APR-SNP-005",
	"claim": "hardware",
	"reference_value": "snp_tee_svn",
	"expected": shown(query_reference_value("snp_tee_svn")),
	"found": input.snp.reported_tcb_tee,
	"detail": "the reported TCB is not one of the reference values",
	"remedy": "update the platform's firmware, or register the value once it is judged safe",
} if {
	input.snp
	not input.snp.reported_tcb_tee in query_reference_value("snp_tee_svn")
}

findings contains {
	"code": "APR-SNP-006",
	"claim": "hardware",
	"reference_value": "snp_fmc",
	"expected": shown(query_reference_value("snp_fmc")),
	"found": input.snp.reported_tcb_fmc,
	"detail": "the reported TCB is not one of the reference values",
	"remedy": "update the platform's firmware, or register the value once it is judged safe",
} if {
	input.snp.reported_tcb_fmc >= 0
	not input.snp.reported_tcb_fmc in query_reference_value("snp_fmc")
}

findings contains {
	"code": "APR-SNP-007",
	"claim": "configuration",
	"expected": false,
	"found": true,
	"detail": "the guest policy allows debugging: the host can read and write the guest's memory",
	"remedy": "launch the guest with bit 19 (DEBUG) of its policy cleared",
} if input.snp.policy_debug_allowed == true

findings contains {
	"code": "APR-SNP-008",
	"claim": "configuration",
	"expected": false,
	"found": true,
	"detail": "the guest policy allows a migration agent, which is not appraised",
	"remedy": "launch the guest with bit 18 (MIGRATE_MA) of its policy cleared",
} if input.snp.policy_migrate_ma == true
