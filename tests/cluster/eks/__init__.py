"""What EKS and AWS put around a real control plane: token webhook, cloud controller, add-ons."""
