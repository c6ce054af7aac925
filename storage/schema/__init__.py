"""What tables there are: `metadata` the values, `definitions` and `tables` how system_schema holds them, `loading` and
`writes` the ways in and out, `elements` what changed."""
