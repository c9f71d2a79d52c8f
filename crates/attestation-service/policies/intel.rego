
# Intel TDX and SGX: what both share.

# The status that a platform has once it is updated.
intel_updated := {
	"OutOfDate": "UpToDate",
	"OutOfDateConfigurationNeeded": "ConfigurationNeeded",
	"TDRelaunchAdvised": "UpToDate",
	"TDRelaunchAdvisedConfigurationNeeded": "ConfigurationNeeded",
}

# A reference value may be one value or a list of them. Null is neither.
intel_listed(value, wanted) if {
	value in wanted
} else := true if {
	wanted != null
	value == wanted
}

# Met, or not registered.
intel_met(value, wanted) if {
	wanted == null
} else := true if {
	value in wanted
}

intel_at_most(number, limits) if {
	is_number(number)
	is_number(limits)
	number <= limits
} else := true if {
	is_number(number)
	is_array(limits)
	some limit in limits
	is_number(limit)
	number <= limit
}

intel_at_least(number, limits) if {
	is_number(number)
	is_number(limits)
	number >= limits
} else := true if {
	is_number(number)
	is_array(limits)
	some limit in limits
	is_number(limit)
	number >= limit
}
