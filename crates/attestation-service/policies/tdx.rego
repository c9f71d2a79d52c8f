
# Intel TDX. Names of reference values are Trustee's. Those of which the comments say "where registered"
# are compared only then.

# The TD's initial content, and what its firmware measured into registers 1 and 2: boot loader, kernel,
# command line, initrd. Register 0 has what differs from host to host.
tdx_measured if {
	tdx_mr_td_wanted
	input.tdx.quote.body.rtmr_1 in query_reference_value("rtmr_1")
	input.tdx.quote.body.rtmr_2 in query_reference_value("rtmr_2")
	tdx_rtmr_0_wanted
}

tdx_mr_td_wanted if input.tdx.quote.body.mr_td in query_reference_value("mr_td")

# Where registered.
tdx_rtmr_0_wanted if intel_met(input.tdx.quote.body.rtmr_0, query_reference_value("rtmr_0"))

# Kernel and command line as the firmware measures them when the hypervisor gives them. These components
# come from events that the registers prove; what the log calls them is not proven, so the register counts:
# 2 is RTMR 1, 3 is RTMR 2.
tdx_kernels := [kernel |
	some kernel in input.tdx.boot_components.kernel
	"File(kernel)" in split(kernel.label, "/")
]

tdx_command_lines := [line |
	some line in input.tdx.boot_components.kernel_command_line
	line.label == "LOADED_IMAGE::LoadOptions"
]

tdx_other_kernels := [kernel.digest |
	some kernel in tdx_kernels
	not intel_listed(kernel.digest, query_reference_value("tdvfkernel"))
]

tdx_other_command_lines := [line.digest |
	some line in tdx_command_lines
	not intel_listed(line.digest, query_reference_value("tdvfkernelparams"))
]

tdx_misplaced_kernels := [kernel.index |
	some kernel in tdx_kernels
	kernel.index != 2
]

tdx_misplaced_command_lines := [line.index |
	some line in tdx_command_lines
	line.index != 3
]

tdx_boot_wanted if {
	count(tdx_kernels) > 0
	tdx_other_kernels == []
	tdx_misplaced_kernels == []
	count(tdx_command_lines) > 0
	tdx_other_command_lines == []
	tdx_misplaced_command_lines == []
}

# Where registered.
tdx_kernel_differs if {
	tdx_other_kernels != []
} else := true if {
	tdx_misplaced_kernels != []
}

tdx_command_line_differs if {
	tdx_other_command_lines != []
} else := true if {
	tdx_misplaced_command_lines != []
}

tdx_boot_differs if {
	tdx_kernel_differs
	query_reference_value("tdvfkernel") != null
} else := true if {
	tdx_command_line_differs
	query_reference_value("tdvfkernelparams") != null
}

# 4: the registers are wanted, but kernel and command line are not known one by one, because the guest
# boots otherwise, or sent no event log, or no reference values are registered for them.
executables := 3 if {
	tdx_measured
	tdx_boot_wanted
} else := 4 if {
	tdx_measured
	not tdx_boot_differs
}

hardware := 2 if {
	input.tdx.quote.header.tee_type == "81000000"
	input.tdx.quote.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"
	tdx_mr_td_wanted
	tdx_module_wanted
	tdx_tcb_svn_wanted
	tdx_status_wanted
	tdx_advisories_wanted
	input.tdx.collateral_expiration_status == "0"
}

# Where registered: that the module is Intel's is a matter of verification.
tdx_module_wanted if intel_met(input.tdx.quote.body.mr_seam, query_reference_value("mr_seam"))

# Where registered.
tdx_tcb_svn_wanted if intel_met(input.tdx.quote.body.tcb_svn, query_reference_value("tcb_svn"))

# Up to date, allowed by name, or outdated for no longer than is allowed.
tdx_status_wanted if {
	input.tdx.tcb_status == "UpToDate"
} else := true if {
	intel_listed(input.tdx.tcb_status, query_reference_value("tdx_allowed_tcb_status"))
} else := true if {
	tdx_graced
	intel_at_most(input.tdx.tcb_outdated_seconds, query_reference_value("tdx_tcb_grace_seconds"))
}

# Whether the time since the TCB became outdated decides: what is left once the platform is updated must
# be allowed.
tdx_graced if {
	query_reference_value("tdx_tcb_grace_seconds") != null
	tdx_updated_allowed
}

tdx_updated_allowed if {
	intel_updated[input.tdx.tcb_status] == "UpToDate"
} else := true if {
	intel_listed(intel_updated[input.tdx.tcb_status], query_reference_value("tdx_allowed_tcb_status"))
}

tdx_other_advisories := [id |
	some id in input.tdx.advisory_ids
	not intel_listed(id, query_reference_value("tdx_allowed_advisories"))
]

tdx_advisories_wanted if {
	input.tdx.tcb_status == "UpToDate"
} else := true if {
	is_array(input.tdx.advisory_ids)
	tdx_other_advisories == []
}

# Flags by which the host watches the TD at work.
tdx_profiled := [name |
	some name in ["hgs_plus_prof", "perf_prof", "pmt_prof"]
	input.tdx.td_attributes[name] == true
]

tdx_unknown_attributes if count(input.tdx.td_attributes.unknown_bits) > 0

# A TD that can migrate is as open as the service TD that moves it, which must be named then. Else
# where registered.
tdx_service_td_wanted if {
	input.tdx.td_attributes.migratable
	tdx_service_td in query_reference_value("mr_servicetd")
} else := true if {
	not input.tdx.td_attributes.migratable
	intel_met(tdx_service_td, query_reference_value("mr_servicetd"))
}

# 96: the host may read the TD's memory, whatever else holds.
configuration := 96 if {
	input.tdx.td_attributes.debug == true
} else := 2 if {
	input.tdx.td_attributes.debug == false
	input.tdx.quote.body.xfam in query_reference_value("xfam")
	tdx_profiled == []
	not tdx_unknown_attributes
	tdx_service_td_wanted
}

# What not every TD has, for the findings.
default tdx_status := null

tdx_status := input.tdx.tcb_status

default tdx_outdated_seconds := null

tdx_outdated_seconds := input.tdx.tcb_outdated_seconds

default tdx_expiration := null

tdx_expiration := input.tdx.collateral_expiration_status

default tdx_service_td := null

tdx_service_td := input.tdx.quote.body.mr_servicetd

findings contains {
	"code": "APR-TDX-001",
	"claim": "executables",
	"reference_value": "mr_td",
	"expected": shown(query_reference_value("mr_td")),
	"found": input.tdx.quote.body.mr_td,
	"detail": "the measurement of the TD's initial content is not one of the reference values; hardware rests on it too",
	"remedy": "start the TD with the expected firmware, or register its measurement as mr_td",
} if {
	input.tdx
	not input.tdx.quote.body.mr_td in query_reference_value("mr_td")
}

findings contains {
	"code": "APR-TDX-002",
	"claim": "executables",
	"reference_value": "rtmr_1",
	"expected": shown(query_reference_value("rtmr_1")),
	"found": input.tdx.quote.body.rtmr_1,
	"detail": "register 1 (boot loader, kernel) is not one of the reference values",
	"remedy": "boot the expected image, or register the value as rtmr_1; the event log says what was measured",
} if {
	input.tdx
	not input.tdx.quote.body.rtmr_1 in query_reference_value("rtmr_1")
}

findings contains {
	"code": "APR-TDX-003",
	"claim": "executables",
	"reference_value": "rtmr_2",
	"expected": shown(query_reference_value("rtmr_2")),
	"found": input.tdx.quote.body.rtmr_2,
	"detail": "register 2 (kernel, command line, initrd) is not one of the reference values",
	"remedy": "boot the expected image, or register the value as rtmr_2; the event log says what was measured",
} if {
	input.tdx
	not input.tdx.quote.body.rtmr_2 in query_reference_value("rtmr_2")
}

findings contains {
	"code": "APR-TDX-004",
	"claim": "executables",
	"reference_value": "rtmr_0",
	"expected": shown(query_reference_value("rtmr_0")),
	"found": input.tdx.quote.body.rtmr_0,
	"detail": "register 0 (firmware configuration, hardware tables) is not one of the reference values",
	"remedy": "start the TD with the expected machine, register the value as rtmr_0, or register none",
} if {
	input.tdx
	not tdx_rtmr_0_wanted
}

findings contains {
	"code": "APR-TDX-005",
	"claim": "executables",
	"reference_value": "tdvfkernel",
	"expected": shown(query_reference_value("tdvfkernel")),
	"found": shown(tdx_other_kernels),
	"detail": "a kernel that was measured is not one of the reference values",
	"remedy": "boot the expected kernel, or register its digest as tdvfkernel",
} if {
	query_reference_value("tdvfkernel") != null
	tdx_other_kernels != []
}

findings contains {
	"code": "APR-TDX-006",
	"claim": "executables",
	"reference_value": "tdvfkernelparams",
	"expected": shown(query_reference_value("tdvfkernelparams")),
	"found": shown(tdx_other_command_lines),
	"detail": "a kernel command line that was measured is not one of the reference values",
	"remedy": "boot with the expected command line, or register its digest as tdvfkernelparams",
} if {
	query_reference_value("tdvfkernelparams") != null
	tdx_other_command_lines != []
}

findings contains {
	"code": "APR-TDX-007",
	"claim": "executables",
	"expected": 2,
	"found": shown(tdx_misplaced_kernels),
	"detail": "the event log names a kernel in another register than firmware measures it into (RTMR 1)",
	"remedy": "look at who extended the register: firmware does not; the name in an event is the guest's word",
} if {
	query_reference_value("tdvfkernel") != null
	tdx_misplaced_kernels != []
}

findings contains {
	"code": "APR-TDX-008",
	"claim": "executables",
	"expected": 3,
	"found": shown(tdx_misplaced_command_lines),
	"detail": "the event log names a command line in another register than it is measured into (RTMR 2)",
	"remedy": "look at who extended the register: a kernel does not; the name in an event is the guest's word",
} if {
	query_reference_value("tdvfkernelparams") != null
	tdx_misplaced_command_lines != []
}

findings contains {
	"code": "APR-TDX-009",
	"claim": "hardware",
	"expected": "81000000",
	"found": input.tdx.quote.header.tee_type,
	"detail": "the quote is not one of TDX",
	"remedy": "attest from inside a TD",
} if input.tdx.quote.header.tee_type != "81000000"

findings contains {
	"code": "APR-TDX-010",
	"claim": "hardware",
	"expected": "939a7233f79c4ca9940a0db3957f0607",
	"found": input.tdx.quote.header.vendor_id,
	"detail": "the quoting enclave is not Intel's",
	"remedy": "attest with Intel's quoting enclave",
} if input.tdx.quote.header.vendor_id != "939a7233f79c4ca9940a0db3957f0607"

findings contains {
	"code": "APR-TDX-011",
	"claim": "hardware",
	"reference_value": "mr_seam",
	"expected": shown(query_reference_value("mr_seam")),
	"found": input.tdx.quote.body.mr_seam,
	"detail": "the measurement of the TDX module is not one of the reference values",
	"remedy": "run the expected TDX module, register its measurement as mr_seam, or register none",
} if {
	input.tdx
	not tdx_module_wanted
}

findings contains {
	"code": "APR-TDX-012",
	"claim": "hardware",
	"reference_value": "tcb_svn",
	"expected": shown(query_reference_value("tcb_svn")),
	"found": input.tdx.quote.body.tcb_svn,
	"detail": "the TCB's security version numbers are not one of the reference values",
	"remedy": "update the platform, register the value as tcb_svn, or register none",
} if {
	input.tdx
	not tdx_tcb_svn_wanted
}

findings contains {
	"code": "APR-TDX-013",
	"claim": "hardware",
	"reference_value": "tdx_allowed_tcb_status",
	"expected": shown(query_reference_value("tdx_allowed_tcb_status")),
	"found": tdx_status,
	"detail": "the TCB's status is neither UpToDate nor one of the reference values",
	"remedy": "update the platform; or register the status as tdx_allowed_tcb_status, or a time as tdx_tcb_grace_seconds",
} if {
	input.tdx
	not tdx_status_wanted
	not tdx_graced
}

findings contains {
	"code": "APR-TDX-014",
	"claim": "hardware",
	"reference_value": "tdx_tcb_grace_seconds",
	"expected": shown(query_reference_value("tdx_tcb_grace_seconds")),
	"found": tdx_outdated_seconds,
	"detail": "the TCB has been outdated for longer than the reference value allows, or it is not known for how long",
	"remedy": "update the platform, or register a longer time in seconds as tdx_tcb_grace_seconds",
} if {
	tdx_graced
	not tdx_status_wanted
}

findings contains {
	"code": "APR-TDX-015",
	"claim": "hardware",
	"reference_value": "tdx_allowed_advisories",
	"expected": shown(query_reference_value("tdx_allowed_advisories")),
	"found": shown(tdx_other_advisories),
	"detail": "security advisories apply to the platform that are not among the reference values, or it is not known which",
	"remedy": "update the platform, or register the advisories as tdx_allowed_advisories once they are judged harmless",
} if {
	input.tdx
	not tdx_advisories_wanted
}

findings contains {
	"code": "APR-TDX-016",
	"claim": "hardware",
	"expected": "0",
	"found": tdx_expiration,
	"detail": "collateral that the verdict rests on has expired",
	"remedy": "refresh the collateral",
} if {
	input.tdx
	tdx_expiration != "0"
}

findings contains {
	"code": "APR-TDX-017",
	"claim": "configuration",
	"expected": false,
	"found": true,
	"detail": "the TD runs in debug mode: the host can read and write its memory",
	"remedy": "launch the TD with bit 0 (DEBUG) of its attributes cleared",
} if input.tdx.td_attributes.debug == true

findings contains {
	"code": "APR-TDX-018",
	"claim": "configuration",
	"reference_value": "xfam",
	"expected": shown(query_reference_value("xfam")),
	"found": input.tdx.quote.body.xfam,
	"detail": "the processor features that the TD may use are not one of the reference values",
	"remedy": "launch the TD with the expected processor model, or register the value as xfam",
} if {
	input.tdx
	not input.tdx.quote.body.xfam in query_reference_value("xfam")
}

findings contains {
	"code": "APR-TDX-019",
	"claim": "configuration",
	"expected": [],
	"found": tdx_profiled,
	"detail": "the TD takes part in profiling by the host",
	"remedy": "launch the TD with bits 4 to 6 of its attributes cleared",
} if tdx_profiled != []

findings contains {
	"code": "APR-TDX-020",
	"claim": "configuration",
	"expected": [],
	"found": input.tdx.td_attributes.unknown_bits,
	"detail": "attributes of the TD are set whose meaning is not known",
	"remedy": "launch the TD without them, or update the verifier",
} if tdx_unknown_attributes

findings contains {
	"code": "APR-TDX-021",
	"claim": "configuration",
	"reference_value": "mr_servicetd",
	"expected": shown(query_reference_value("mr_servicetd")),
	"found": tdx_service_td,
	"detail": "the service TD, which can migrate the TD, is not one of the reference values",
	"remedy": "launch the TD with bit 29 (MIGRATABLE) of its attributes cleared, or register the service TD as mr_servicetd",
} if {
	input.tdx
	not tdx_service_td_wanted
}
