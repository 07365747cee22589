# A workspace that needs no provider and costs nothing real: Terraform's built-in resource stands for a machine and its
# disk. It shows what a template for Chancery consists of, and is what the demo and the tests build.

terraform {
  required_version = ">= 1.4"
}

# Chancery sets the variables that begin with `chancery_`, if a template declares them.

variable "chancery_transition" {
  description = "What is done to the workspace: start, stop or delete."
  type        = string
  default     = "start"
}

variable "chancery_workspace_name" {
  description = "Name of the workspace."
  type        = string
  default     = "workspace"
}

variable "chancery_owner_name" {
  description = "Login name of its owner."
  type        = string
  default     = "somebody"
}

variable "size" {
  description = "How much the workspace gets: small, medium or large."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "medium", "large"], var.size)
    error_message = "The size is small, medium or large."
  }
}

variable "disk_gib" {
  description = "Size of the home directory, in GiB."
  type        = number
  default     = 10

  validation {
    condition     = var.disk_gib >= 1 && var.disk_gib <= 500
    error_message = "The home directory has 1 to 500 GiB."
  }
}

variable "password" {
  description = "Password of the workspace; one that nobody can guess."
  type        = string
  default     = ""
  sensitive   = true
}

locals {
  running      = var.chancery_transition == "start"
  machine_cost = { small = 10, medium = 25, large = 60 }[var.size]
  disk_cost    = ceil(var.disk_gib / 10)
}

# The home directory outlives the machine.
resource "terraform_data" "home" {
  input = {
    gib   = var.disk_gib
    owner = var.chancery_owner_name
  }
}

# The machine is there while the workspace runs.
resource "terraform_data" "machine" {
  count = local.running ? 1 : 0

  input = {
    home = terraform_data.home.id
    name = "${var.chancery_owner_name}-${var.chancery_workspace_name}"
    size = var.size
  }

  provisioner "local-exec" {
    command = "echo \"starting $NAME ($SIZE)\""

    environment = {
      NAME = "${var.chancery_owner_name}-${var.chancery_workspace_name}"
      SIZE = var.size
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "echo \"stopping ${self.input.name}\""
  }
}

output "address" {
  description = "Where the workspace is reached."
  value       = local.running ? "${var.chancery_workspace_name}.${var.chancery_owner_name}.example.com" : null
}

output "login" {
  description = "How to get in."
  value       = { user = var.chancery_owner_name, password = var.password }
  sensitive   = true
}

# What it costs per day, for quotas: all of it, and how it is spread over the resources.
output "chancery" {
  value = {
    daily_cost = (local.running ? local.machine_cost : 0) + local.disk_cost
    resources = merge(
      { "terraform_data.home" = local.disk_cost },
      local.running ? { "terraform_data.machine[0]" = local.machine_cost } : {},
    )
  }
}
