"""Who is there: `endpoint` what is known of a node, `messages` what nodes tell each other, `gossiper` the machine that
spreads it, `failure_detector` who is down, `status` the words of STATUS_WITH_PORT."""
