
# Intel SGX. An enclave is known by its measurement, or by its signer together with product and version.
# Each of these reference values that is registered must be met.

sgx_known if {
	input.sgx.body.mr_enclave in query_reference_value("sgx_mr_enclave")
} else := true if {
	query_reference_value("sgx_mr_signer") != null
	query_reference_value("sgx_isv_prod_id") != null
	query_reference_value("sgx_minimum_isv_svn") != null
}

sgx_mr_enclave_wanted if intel_met(input.sgx.body.mr_enclave, query_reference_value("sgx_mr_enclave"))

sgx_mr_signer_wanted if intel_met(input.sgx.body.mr_signer, query_reference_value("sgx_mr_signer"))

sgx_product_wanted if {
	query_reference_value("sgx_isv_prod_id") == null
} else := true if {
	intel_listed(input.sgx.sgx_isv_prod_id, query_reference_value("sgx_isv_prod_id"))
}

sgx_version_wanted if {
	query_reference_value("sgx_minimum_isv_svn") == null
} else := true if {
	intel_at_least(input.sgx.sgx_isv_svn, query_reference_value("sgx_minimum_isv_svn"))
}

executables := 3 if {
	input.sgx
	sgx_known
	sgx_mr_enclave_wanted
	sgx_mr_signer_wanted
	sgx_product_wanted
	sgx_version_wanted
}

hardware := 2 if {
	input.sgx.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"
	sgx_status_wanted
	sgx_advisories_wanted
	input.sgx.collateral_expiration_status == "0"
}

# Up to date, allowed by name, or outdated for no longer than is allowed.
sgx_status_wanted if {
	input.sgx.tcb_status == "UpToDate"
} else := true if {
	intel_listed(input.sgx.tcb_status, query_reference_value("sgx_allowed_tcb_status"))
} else := true if {
	sgx_graced
	intel_at_most(input.sgx.tcb_outdated_seconds, query_reference_value("sgx_tcb_grace_seconds"))
}

# Whether the time since the TCB became outdated decides: what is left once the platform is updated must
# be allowed.
sgx_graced if {
	query_reference_value("sgx_tcb_grace_seconds") != null
	sgx_updated_allowed
}

sgx_updated_allowed if {
	intel_updated[input.sgx.tcb_status] == "UpToDate"
} else := true if {
	intel_listed(intel_updated[input.sgx.tcb_status], query_reference_value("sgx_allowed_tcb_status"))
}

sgx_other_advisories := [id |
	some id in input.sgx.advisory_ids
	not intel_listed(id, query_reference_value("sgx_allowed_advisories"))
]

sgx_advisories_wanted if {
	input.sgx.tcb_status == "UpToDate"
} else := true if {
	is_array(input.sgx.advisory_ids)
	sgx_other_advisories == []
}

# Keys that identify the platform or launch enclaves: for Intel's own enclaves.
sgx_keys := [name |
	some name in ["provision_key", "einittoken_key"]
	input.sgx.sgx_attributes[name] == true
]

sgx_unknown_attributes if count(input.sgx.sgx_attributes.unknown_bits) > 0

sgx_closed if {
	input.sgx.sgx_attributes.debug == false
	sgx_keys == []
	not sgx_unknown_attributes
}

# 96: the host may read the enclave's memory, whatever else holds. 2: a known and approved configuration.
# 3: closed against the host, but its attributes are not compared with reference values.
configuration := 96 if {
	input.sgx.sgx_attributes.debug == true
} else := 2 if {
	sgx_closed
	input.sgx.body["attributes.flags"] in query_reference_value("sgx_attributes_flags")
	input.sgx.body["attributes.xfrm"] in query_reference_value("sgx_attributes_xfrm")
} else := 3 if {
	sgx_closed
}

# What not every platform has, for the findings.
default sgx_status := null

sgx_status := input.sgx.tcb_status

default sgx_outdated_seconds := null

sgx_outdated_seconds := input.sgx.tcb_outdated_seconds

default sgx_expiration := null

sgx_expiration := input.sgx.collateral_expiration_status

findings contains {
	"code": "APR-SGX-001",
	"claim": "executables",
	"reference_value": "sgx_mr_enclave",
	"expected": shown(query_reference_value("sgx_mr_enclave")),
	"found": input.sgx.body.mr_enclave,
	"detail": "the measurement of the enclave is not one of the reference values",
	"remedy": "start the expected enclave, or register its measurement as sgx_mr_enclave",
} if {
	input.sgx
	not sgx_mr_enclave_wanted
}

findings contains {
	"code": "APR-SGX-002",
	"claim": "executables",
	"reference_value": "sgx_mr_signer",
	"expected": shown(query_reference_value("sgx_mr_signer")),
	"found": input.sgx.body.mr_signer,
	"detail": "the signer of the enclave is not one of the reference values",
	"remedy": "start an enclave of the expected signer, or register the signer as sgx_mr_signer",
} if {
	input.sgx
	not sgx_mr_signer_wanted
}

findings contains {
	"code": "APR-SGX-003",
	"claim": "executables",
	"reference_value": "sgx_isv_prod_id",
	"expected": shown(query_reference_value("sgx_isv_prod_id")),
	"found": input.sgx.sgx_isv_prod_id,
	"detail": "the enclave's product id is not one of the reference values",
	"remedy": "start the expected product, or register its id as sgx_isv_prod_id",
} if {
	input.sgx
	not sgx_product_wanted
}

findings contains {
	"code": "APR-SGX-004",
	"claim": "executables",
	"reference_value": "sgx_minimum_isv_svn",
	"expected": shown(query_reference_value("sgx_minimum_isv_svn")),
	"found": input.sgx.sgx_isv_svn,
	"detail": "the enclave's security version is below the reference value, or that is not a number",
	"remedy": "update the enclave, or register a lower number as sgx_minimum_isv_svn",
} if {
	input.sgx
	not sgx_version_wanted
}

findings contains {
	"code": "APR-SGX-005",
	"claim": "executables",
	"expected": "sgx_mr_enclave, or sgx_mr_signer with sgx_isv_prod_id and sgx_minimum_isv_svn",
	"detail": "there are no reference values by which an enclave is known",
	"remedy": "register the enclave's measurement, or its signer with product id and lowest security version",
} if {
	input.sgx
	query_reference_value("sgx_mr_enclave") == null
	not sgx_known
}

findings contains {
	"code": "APR-SGX-006",
	"claim": "hardware",
	"expected": "939a7233f79c4ca9940a0db3957f0607",
	"found": input.sgx.header.vendor_id,
	"detail": "the quoting enclave is not Intel's",
	"remedy": "attest with Intel's quoting enclave",
} if input.sgx.header.vendor_id != "939a7233f79c4ca9940a0db3957f0607"

findings contains {
	"code": "APR-SGX-007",
	"claim": "hardware",
	"reference_value": "sgx_allowed_tcb_status",
	"expected": shown(query_reference_value("sgx_allowed_tcb_status")),
	"found": sgx_status,
	"detail": "the TCB's status is neither UpToDate nor one of the reference values",
	"remedy": "update the platform; or register the status as sgx_allowed_tcb_status, or a time as sgx_tcb_grace_seconds",
} if {
	input.sgx
	not sgx_status_wanted
	not sgx_graced
}

findings contains {
	"code": "APR-SGX-008",
	"claim": "hardware",
	"reference_value": "sgx_tcb_grace_seconds",
	"expected": shown(query_reference_value("sgx_tcb_grace_seconds")),
	"found": sgx_outdated_seconds,
	"detail": "the TCB has been outdated for longer than the reference value allows, or it is not known for how long",
	"remedy": "update the platform, or register a longer time in seconds as sgx_tcb_grace_seconds",
} if {
	sgx_graced
	not sgx_status_wanted
}

findings contains {
	"code": "APR-SGX-009",
	"claim": "hardware",
	"reference_value": "sgx_allowed_advisories",
	"expected": shown(query_reference_value("sgx_allowed_advisories")),
	"found": shown(sgx_other_advisories),
	"detail": "security advisories apply to the platform that are not among the reference values, or it is not known which",
	"remedy": "update the platform, or register the advisories as sgx_allowed_advisories once they are judged harmless",
} if {
	input.sgx
	not sgx_advisories_wanted
}

findings contains {
	"code": "APR-SGX-010",
	"claim": "hardware",
	"expected": "0",
	"found": sgx_expiration,
	"detail": "collateral that the verdict rests on has expired",
	"remedy": "refresh the collateral",
} if {
	input.sgx
	sgx_expiration != "0"
}

findings contains {
	"code": "APR-SGX-011",
	"claim": "configuration",
	"expected": false,
	"found": true,
	"detail": "the enclave runs in debug mode: the host can read and write its memory",
	"remedy": "sign and launch the enclave without the DEBUG attribute",
} if input.sgx.sgx_attributes.debug == true

findings contains {
	"code": "APR-SGX-012",
	"claim": "configuration",
	"expected": [],
	"found": sgx_keys,
	"detail": "the enclave may use keys that only Intel's enclaves should have",
	"remedy": "sign and launch the enclave without the attributes PROVISIONKEY and EINITTOKEN_KEY",
} if sgx_keys != []

findings contains {
	"code": "APR-SGX-013",
	"claim": "configuration",
	"expected": [],
	"found": input.sgx.sgx_attributes.unknown_bits,
	"detail": "attributes of the enclave are set whose meaning is not known",
	"remedy": "launch the enclave without them, or update the verifier",
} if sgx_unknown_attributes
