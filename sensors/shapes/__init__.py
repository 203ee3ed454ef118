"""What sensors of one shape share: tables (TOML) say which field is which."""
