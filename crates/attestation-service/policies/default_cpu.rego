# The default appraisal policy of the class "cpu": what every CPU TEE shares. The rules of each TEE
# follow, one file each. Nothing is affirmed unless a rule says so.
#
# Values are those of AR4SI (draft-ietf-rats-ar4si, 2.3): 2 and 3 affirm; 33 (code that is not
# recognised) and 36 (a configuration that is not known to be safe) warn; 96 and 97 contraindicate.
# The default resource policy releases nothing unless every claim affirms.
package policy

import rego.v1

default executables := 33

default hardware := 97

default configuration := 36

# Claims that only some TEEs make; 0 is no claim.
default instance_identity := 0

default file_system := 0

default runtime_opaque := 0

default storage_opaque := 0

default sourced_data := 0

trust_claims := {
	"instance-identity": instance_identity,
	"configuration": configuration,
	"executables": executables,
	"file-system": file_system,
	"hardware": hardware,
	"runtime-opaque": runtime_opaque,
	"storage-opaque": storage_opaque,
	"sourced-data": sourced_data,
}

# `findings` explains a verdict that is not affirming: one object for each expectation that is not
# met. `expected` is null where there is no reference value of that name.

# A list as findings show it. An explanation has a limit, and hundreds of values would pass it.
shown(values) := array.concat(array.slice(values, 0, 16), [sprintf("and %d more", [count(values) - 16])]) if {
	is_array(values)
	count(values) > 16
} else := values
