# A workspace in a pod, its home directory on a persistent volume claim that stays when the workspace stops. The runner
# reaches the cluster by its own service account, or by a file (`--pass KUBE_CONFIG_PATH`).

terraform {
  required_version = ">= 1.4"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 2.35"
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

variable "namespace" {
  description = "Namespace in which workspaces are made; it must exist."
  type        = string
  default     = "chancery-workspaces"
}

variable "image" {
  description = "Image that the workspace runs."
  type        = string
  default     = "debian:12"
}

variable "cpu" {
  description = "Processors of the workspace."
  type        = number
  default     = 2

  validation {
    condition     = contains([1, 2, 4, 8], var.cpu)
    error_message = "A workspace has 1, 2, 4 or 8 processors."
  }
}

variable "memory_gib" {
  description = "Memory of the workspace, in GiB."
  type        = number
  default     = 4

  validation {
    condition     = var.memory_gib >= 1 && var.memory_gib <= 64
    error_message = "A workspace has 1 to 64 GiB of memory."
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

locals {
  running  = var.chancery_transition == "start"
  name     = "workspace-${var.chancery_workspace_id}"
  pod_cost = var.cpu * 5 + var.memory_gib
  labels = {
    "app.kubernetes.io/name"       = "workspace"
    "app.kubernetes.io/managed-by" = "chancery"
    "chancery/workspace"           = var.chancery_workspace_id
    "chancery/owner"               = var.chancery_owner_name
  }
}

resource "kubernetes_persistent_volume_claim_v1" "home" {
  metadata {
    name      = "${local.name}-home"
    namespace = var.namespace
    labels    = local.labels
  }

  # Many storage classes bind only when a pod comes.
  wait_until_bound = false

  spec {
    access_modes = ["ReadWriteOnce"]

    resources {
      requests = {
        storage = "${var.disk_gib}Gi"
      }
    }
  }
}

resource "kubernetes_pod_v1" "workspace" {
  count = local.running ? 1 : 0

  metadata {
    name      = local.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    hostname                        = var.chancery_workspace_name
    automount_service_account_token = false

    security_context {
      run_as_non_root = true
      run_as_user     = 1000
      fs_group        = 1000
    }

    container {
      name    = "workspace"
      image   = var.image
      command = ["sleep", "infinity"]

      security_context {
        allow_privilege_escalation = false

        capabilities {
          drop = ["ALL"]
        }
      }

      resources {
        requests = {
          cpu    = "250m"
          memory = "512Mi"
        }
        limits = {
          cpu    = tostring(var.cpu)
          memory = "${var.memory_gib}Gi"
        }
      }

      volume_mount {
        name       = "home"
        mount_path = "/home/workspace"
      }
    }

    volume {
      name = "home"

      persistent_volume_claim {
        claim_name = kubernetes_persistent_volume_claim_v1.home.metadata[0].name
      }
    }
  }
}

output "pod" {
  description = "Namespace and name of the pod."
  value       = local.running ? "${var.namespace}/${local.name}" : null
}

output "chancery" {
  value = {
    resources = merge(
      { "kubernetes_persistent_volume_claim_v1.home" = ceil(var.disk_gib / 10) },
      local.running ? { "kubernetes_pod_v1.workspace[0]" = local.pod_cost } : {},
    )
  }
}
