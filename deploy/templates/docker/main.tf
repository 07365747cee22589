# A workspace in a container of the Docker engine that the runner reaches (`--pass DOCKER_HOST`). Its home directory is a
# volume that stays when the workspace stops.

terraform {
  required_version = ">= 1.4"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = "~> 3.0"
    }
  }
}

variable "chancery_transition" {
  description = "What is done to the workspace: start, stop or delete."
  type        = string
  default     = "start"
}

variable "chancery_workspace_id" {
  description = "Id of the workspace."
  type        = string
}

variable "chancery_workspace_name" {
  description = "Name of the workspace."
  type        = string
}

variable "chancery_owner_name" {
  description = "Login name of its owner."
  type        = string
}

variable "image" {
  description = "Image that the workspace runs."
  type        = string
  default     = "debian:12"
}

variable "memory_mib" {
  description = "Memory of the workspace, in MiB."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory_mib >= 256 && var.memory_mib <= 65536
    error_message = "The workspace has 256 to 65536 MiB of memory."
  }
}

locals {
  running      = var.chancery_transition == "start"
  name         = "chancery-${var.chancery_owner_name}-${var.chancery_workspace_name}"
  machine_cost = ceil(var.memory_mib / 256)
  labels = {
    "chancery.workspace" = var.chancery_workspace_id
    "chancery.owner"     = var.chancery_owner_name
  }
}

resource "docker_volume" "home" {
  name = "chancery-${var.chancery_workspace_id}-home"

  dynamic "labels" {
    for_each = local.labels
    content {
      label = labels.key
      value = labels.value
    }
  }

  lifecycle {
    ignore_changes = all
  }
}

resource "docker_image" "workspace" {
  name         = var.image
  keep_locally = true
}

resource "docker_container" "workspace" {
  count = local.running ? 1 : 0

  name     = local.name
  hostname = var.chancery_workspace_name
  image    = docker_image.workspace.image_id
  command  = ["sleep", "infinity"]
  memory   = var.memory_mib
  init     = true

  volumes {
    volume_name    = docker_volume.home.name
    container_path = "/home/${var.chancery_owner_name}"
  }

  dynamic "labels" {
    for_each = local.labels
    content {
      label = labels.key
      value = labels.value
    }
  }
}

output "container" {
  description = "Name of the container."
  value       = local.running ? local.name : null
}

output "chancery" {
  value = {
    resources = merge(
      { "docker_volume.home" = 1 },
      local.running ? { "docker_container.workspace[0]" = local.machine_cost } : {},
    )
  }
}
