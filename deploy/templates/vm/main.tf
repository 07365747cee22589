# A workspace on a virtual machine of Amazon EC2. Its home directory is a volume that stays when the workspace stops; the
# machine is made anew at each start. Credentials come from the role of the machine that the runner is on, or by
# `--pass AWS_ACCESS_KEY_ID --pass AWS_SECRET_ACCESS_KEY`.

terraform {
  required_version = ">= 1.4"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
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

variable "region" {
  description = "Region in which the workspace is made."
  type        = string
  default     = "eu-central-1"
}

variable "subnet_id" {
  description = "Subnet that the machine is in."
  type        = string
}

variable "instance_type" {
  description = "Type of the machine."
  type        = string
  default     = "t3.medium"

  validation {
    condition     = contains(["t3.small", "t3.medium", "t3.large", "t3.xlarge"], var.instance_type)
    error_message = "The machine is a t3.small, t3.medium, t3.large or t3.xlarge."
  }
}

variable "disk_gib" {
  description = "Size of the home directory, in GiB."
  type        = number
  default     = 20

  validation {
    condition     = var.disk_gib >= 1 && var.disk_gib <= 1000
    error_message = "The home directory has 1 to 1000 GiB."
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      "chancery:workspace" = var.chancery_workspace_id
      "chancery:owner"     = var.chancery_owner_name
    }
  }
}

locals {
  running      = var.chancery_transition == "start"
  machine_cost = { "t3.small" = 5, "t3.medium" = 10, "t3.large" = 20, "t3.xlarge" = 40 }[var.instance_type]
}

data "aws_subnet" "workspace" {
  id = var.subnet_id
}

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"]

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

resource "aws_ebs_volume" "home" {
  availability_zone = data.aws_subnet.workspace.availability_zone
  encrypted         = true
  size              = var.disk_gib
  type              = "gp3"

  tags = {
    Name = "${var.chancery_owner_name}-${var.chancery_workspace_name}-home"
  }
}

resource "aws_instance" "workspace" {
  count = local.running ? 1 : 0

  ami           = data.aws_ami.debian.id
  instance_type = var.instance_type
  subnet_id     = data.aws_subnet.workspace.id

  metadata_options {
    http_tokens = "required"
  }

  root_block_device {
    encrypted = true
  }

  tags = {
    Name = "${var.chancery_owner_name}-${var.chancery_workspace_name}"
  }

  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_volume_attachment" "home" {
  count = local.running ? 1 : 0

  device_name                    = "/dev/sdf"
  instance_id                    = aws_instance.workspace[0].id
  stop_instance_before_detaching = true
  volume_id                      = aws_ebs_volume.home.id
}

output "address" {
  description = "Address of the machine in its network."
  value       = local.running ? aws_instance.workspace[0].private_ip : null
}

output "chancery" {
  value = {
    resources = merge(
      { "aws_ebs_volume.home" = ceil(var.disk_gib / 10) },
      local.running ? { "aws_instance.workspace[0]" = local.machine_cost } : {},
    )
  }
}
