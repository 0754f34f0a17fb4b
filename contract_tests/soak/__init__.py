"""A soak: sandboxes that churn over several processes while processes are killed."""
