"""The page: how runs stand, for the person who runs them. It changes nothing."""
