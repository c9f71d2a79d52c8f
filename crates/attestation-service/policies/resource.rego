# The default resource policy: a resource is released only when every attester in the token is
# affirming, and there is at least one.
package policy

import rego.v1

default allow := false

allow if {
	count(input.submods) > 0
	every submod in input.submods {
		submod["ear.status"] == "affirming"
	}
}
