
# Arm CCA. The comparison with endorsed reference values stands in the input, with its reasons in the
# findings of the verdict. `combined` is the worse of platform and realm for each claim; 0, no claim,
# leaves the defaults above.

cca_combined := input.cca.appraisal.combined if {
	input.cca.appraisal.platform
	input.cca.appraisal.realm
}

instance_identity := cca_combined["instance-identity"]

configuration := cca_combined.configuration if cca_combined.configuration != 0

# Each layer must have been appraised: a good platform says nothing of the realm on it.
executables := cca_combined.executables if {
	input.cca.appraisal.platform.vector.executables != 0
	input.cca.appraisal.realm.vector.executables != 0
}

file_system := cca_combined["file-system"]

hardware := cca_combined.hardware if cca_combined.hardware != 0

runtime_opaque := cca_combined["runtime-opaque"]

storage_opaque := cca_combined["storage-opaque"]

sourced_data := cca_combined["sourced-data"]

findings contains {
	"code": "APR-CCA-001",
	"claim": "hardware",
	"expected": "a comparison with endorsed reference values",
	"detail": "the claims were not compared with endorsed reference values",
	"remedy": "have the evidence appraised by a verifier that compares it, or set a policy that judges the claims",
} if {
	input.cca
	not cca_combined
}
