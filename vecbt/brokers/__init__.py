"""What fills orders: one subpackage per engine."""
