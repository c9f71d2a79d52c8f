
# The sample TEE: no hardware stands behind it. A server takes its evidence only with a danger
# option.

executables := 3 if {
	input.sample
	input.sample.launch_digest in query_reference_value("launch_digest")
}

hardware := 2 if {
	input.sample
	input.sample.svn in query_reference_value("svn")
	input.sample.platform_version.major == query_reference_value("major_version")

	# A missing reference value is null, and everything is greater than null: ask for the number.
	minimum := query_reference_value("minimum_minor_version")
	is_number(minimum)
	input.sample.platform_version.minor >= minimum
}

configuration := 96 if {
	input.sample.debug == true
} else := 2 if {
	input.sample
	input.sample.debug == false
}

findings contains {
	"code": "APR-SAMPLE-001",
	"claim": "executables",
	"reference_value": "launch_digest",
	"expected": shown(query_reference_value("launch_digest")),
	"found": input.sample.launch_digest,
	"detail": "the claim is not one of the reference values",
	"remedy": "register the reference value, or change the sample evidence",
} if {
	input.sample
	not input.sample.launch_digest in query_reference_value("launch_digest")
}

findings contains {
	"code": "APR-SAMPLE-002",
	"claim": "hardware",
	"reference_value": "svn",
	"expected": shown(query_reference_value("svn")),
	"found": input.sample.svn,
	"detail": "the claim is not one of the reference values",
	"remedy": "register the reference value, or change the sample evidence",
} if {
	input.sample
	not input.sample.svn in query_reference_value("svn")
}

findings contains {
	"code": "APR-SAMPLE-003",
	"claim": "hardware",
	"reference_value": "major_version",
	"expected": shown(query_reference_value("major_version")),
	"found": input.sample.platform_version.major,
	"detail": "the platform's major version is not the reference value",
	"remedy": "register the reference value major_version, or change the sample evidence",
} if {
	input.sample
	input.sample.platform_version.major != query_reference_value("major_version")
}

findings contains {
	"code": "APR-SAMPLE-004",
	"claim": "hardware",
	"reference_value": "minimum_minor_version",
	"expected": shown(query_reference_value("minimum_minor_version")),
	"found": input.sample.platform_version.minor,
	"detail": "the platform's minor version is below the reference value, or there is none",
	"remedy": "register the reference value minimum_minor_version, or change the sample evidence",
} if {
	input.sample
	not sample_minor_wanted
}

sample_minor_wanted if {
	minimum := query_reference_value("minimum_minor_version")
	is_number(minimum)
	input.sample.platform_version.minor >= minimum
}

findings contains {
	"code": "APR-SAMPLE-005",
	"claim": "configuration",
	"expected": false,
	"found": true,
	"detail": "the sample evidence says that debugging is on",
	"remedy": "change the sample evidence",
} if input.sample.debug == true
