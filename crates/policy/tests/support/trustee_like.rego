package policy

import rego.v1

# Where no rule below holds: unrecognised executables, unrecognised hardware, unsafe configuration.
default executables := 33

default hardware := 97

default configuration := 36

default file_system := 0

trust_claims := {
	"executables": executables,
	"hardware": hardware,
	"configuration": configuration,
	"file-system": file_system,
}

##### sample

executables := 3 if {
	input.sample
	input.sample.launch_digest in query_reference_value("launch_digest")
}

hardware := 2 if {
	input.sample
	input.sample.svn in query_reference_value("svn")
	input.sample.platform_version.major == query_reference_value("major_version")
	minimum := query_reference_value("minimum_minor_version")
	is_number(minimum)
	input.sample.platform_version.minor >= minimum
}

configuration := 2 if {
	input.sample
	not input.sample.debug
}

##### snp

executables := 3 if {
	input.snp
	input.snp.measurement in query_reference_value("snp_launch_measurement")
}

hardware := 2 if {
	input.snp
	input.snp.reported_tcb_bootloader in query_reference_value("snp_bootloader")
	input.snp.reported_tcb_microcode in query_reference_value("snp_microcode")
	input.snp.reported_tcb_snp in query_reference_value("snp_snp_svn")
	input.snp.reported_tcb_tee in query_reference_value("snp_tee_svn")
}

configuration := 2 if {
	input.snp
	snp_not_debuggable
	input.snp.platform_smt_enabled == query_reference_value("snp_smt_enabled")
	input.snp.platform_tsme_enabled == query_reference_value("snp_tsme_enabled")
	input.snp.policy_abi_major == query_reference_value("snp_guest_abi_major")
	input.snp.policy_abi_minor == query_reference_value("snp_guest_abi_minor")
	input.snp.policy_single_socket == query_reference_value("snp_single_socket")
	input.snp.policy_smt_allowed == query_reference_value("snp_smt_allowed")
} else := 3 if {
	input.snp
	snp_not_debuggable
}

snp_not_debuggable if {
	input.snp.policy_debug_allowed == false
	input.snp.policy_migrate_ma == false
}

##### identifiers of validated containers

containers := input.init_data_claims.agent_policy_claims.containers

extensions := [{
	"name": "ear.trustee.identifiers",
	"key": -18,
	"value": {"validated": {
		"container_images": [image |
			some container in containers
			image := container.OCI.Annotations["io.kubernetes.cri.image-name"]
		],
		"container_uids": [container.OCI.Process.User.UID | some container in containers],
	}},
}] if {
	containers
}

##### reasons

findings contains {
	"code": "EXAMPLE-001",
	"claim": "executables",
	"value": executables,
	"expected": query_reference_value("snp_launch_measurement"),
	"found": input.snp.measurement,
	"detail": "the launch measurement is not among the reference values",
	"remedy": "register it, or start the right image",
} if {
	input.snp
	executables != 3
}
