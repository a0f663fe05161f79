"""What scontrol prints on clusters of several versions of SLURM; names are made up, fields and their order are not."""

SETTINGS_22 = """Configuration data as of 2024-03-01T10:00:00
AccountingStorageEnforce = none
AccountingStorageType   = accounting_storage/none
EnforcePartLimits       = ALL
GresTypes               = gpu
JobRequeue              = 1
MaxMemPerNode           = UNLIMITED
MinJobAge               = 600 sec
RequeueExit             = (null)
SelectType              = select/cons_tres
SelectTypeParameters    = CR_CORE_MEMORY
SLURM_VERSION           = 22.05.8
"""
PARTITIONS_22 = """\
PartitionName=cpu AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=YES QoS=N/A \
DefaultTime=00:10:00 DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes=UNLIMITED MaxTime=1-00:00:00 \
MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED Nodes=cpu1 PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO \
OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP TotalCPUs=16 TotalNodes=1 SelectTypeParameters=NONE \
JobDefaults=(null) DefMemPerCPU=500 MaxMemPerNode=UNLIMITED TRES=cpu=16,mem=62.50G,node=1,billing=16
PartitionName=gpu AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=NO QoS=N/A \
DefaultTime=00:10:00 DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes=UNLIMITED MaxTime=1-00:00:00 \
MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED Nodes=gpu[1-2] PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO \
OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP TotalCPUs=32 TotalNodes=2 SelectTypeParameters=NONE \
JobDefaults=(null) DefMemPerCPU=500 MaxMemPerNode=UNLIMITED TRES=cpu=32,mem=125G,node=2,billing=32
"""
NODES_22 = """\
NodeName=cpu1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=16 CPUTot=16 CPULoad=6.74 AvailableFeatures=(null) \
ActiveFeatures=(null) Gres=(null) NodeAddr=127.0.0.1 NodeHostName=vm Port=26813 Version=22.05.8 OS=Linux 6.1.0 #1 SMP \
PREEMPT_DYNAMIC @0  RealMemory=64000 AllocMem=1500 FreeMem=11720 Sockets=16 Boards=1 State=MIXED ThreadsPerCore=1 \
TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=cpu  BootTime=2024-02-29T23:41:15 \
SlurmdStartTime=2024-02-29T23:42:14 CfgTRES=cpu=16,mem=62.50G,billing=16 AllocTRES=cpu=1,mem=1500M CapWatts=n/a \
CurrentWatts=0 AveWatts=0 ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s
NodeName=gpu1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=16 CPUTot=16 CPULoad=6.90 AvailableFeatures=a40 \
ActiveFeatures=a40 Gres=gpu:a40:2(S:0-1) NodeAddr=127.0.0.1 NodeHostName=vm Port=26814 Version=22.05.8 OS=Linux 6.1.0 \
#1 SMP PREEMPT_DYNAMIC @0  RealMemory=64000 AllocMem=0 FreeMem=13575 Sockets=16 Boards=1 State=IDLE ThreadsPerCore=1 \
TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=gpu  BootTime=2024-02-29T23:41:15 \
SlurmdStartTime=2024-02-29T23:42:14 CfgTRES=cpu=16,mem=62.50G,billing=16 AllocTRES= CapWatts=n/a
NodeName=gpu2 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=16 CPUTot=16 CPULoad=6.90 AvailableFeatures=a40 \
ActiveFeatures=a40 Gres=gpu:a40:2 NodeAddr=127.0.0.1 NodeHostName=vm Port=26815 Version=22.05.8 OS=Linux 6.1.0 \
#1 SMP PREEMPT_DYNAMIC @0  RealMemory=64000 AllocMem=0 FreeMem=13575 Sockets=16 Boards=1 State=DOWN* ThreadsPerCore=1 \
TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=gpu  BootTime=None SlurmdStartTime=None \
CfgTRES=cpu=16,mem=62.50G,billing=16 AllocTRES= CapWatts=n/a Reason=Not responding Gres=odd [slurm@2024-03-01T09:00:00]
"""
SETTINGS_23 = """Configuration data as of 2024-03-01T10:00:00
AccountingStorageEnforce = associations,limits,qos
AccountingStorageType   = accounting_storage/slurmdbd
EnforcePartLimits       = NO
JobRequeue              = 0
MaxMemPerCPU            = 4000
MinJobAge               = 60 sec
RequeueExit             = 1-100
SelectType              = select/cons_res
SelectTypeParameters    = CR_CPU_MEMORY
SLURM_VERSION           = 23.11.4
"""
COMMON_23 = (
    "AllowQos=ALL AllocNodes=ALL Default=NO QoS=N/A DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0"
)
PARTITIONS_23 = f"""\
PartitionName=long AllowGroups=ALL AllowAccounts=ALL {COMMON_23} Hidden=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED \
MinNodes=0 LLN=NO MaxCPUsPerNode=32 MaxCPUsPerSocket=UNLIMITED Nodes=a[01-02] PriorityJobFactor=1 PriorityTier=1 \
RootOnly=NO ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP TotalCPUs=192 TotalNodes=2 \
SelectTypeParameters=NONE JobDefaults=(null) DefMemPerCPU=2000 MaxMemPerCPU=8000 TRES=cpu=192,mem=1T,node=2,billing=192
PartitionName=admin AllowGroups=ALL AllowAccounts=ALL {COMMON_23} Hidden=NO MaxTime=UNLIMITED Nodes=a01 RootOnly=YES \
State=UP TotalCPUs=96 TotalNodes=1
PartitionName=secret AllowGroups=ALL AllowAccounts=ALL {COMMON_23} Hidden=YES MaxTime=UNLIMITED Nodes=a01 RootOnly=NO \
State=UP TotalCPUs=96 TotalNodes=1
PartitionName=closed AllowGroups=ALL AllowAccounts=ALL {COMMON_23} Hidden=NO MaxTime=UNLIMITED Nodes=a01 RootOnly=NO \
State=DOWN TotalCPUs=96 TotalNodes=1
PartitionName=other AllowGroups=physics AllowAccounts=ALL {COMMON_23} Hidden=NO MaxTime=UNLIMITED Nodes=a01 \
RootOnly=NO State=UP TotalCPUs=96 TotalNodes=1
PartitionName=paid AllowGroups=ALL AllowAccounts=rich,richer {COMMON_23} Hidden=NO MaxTime=UNLIMITED Nodes=a01 \
RootOnly=NO State=UP TotalCPUs=96 TotalNodes=1
PartitionName=gpu AllowGroups=users,physics AllowAccounts=ALL {COMMON_23} Hidden=NO MaxNodes=UNLIMITED \
MaxTime=3-12:30:00 MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED MaxCPUsPerSocket=UNLIMITED Nodes=g[01-03] RootOnly=NO \
ReqResv=NO State=UP TotalCPUs=192 TotalNodes=3 SelectTypeParameters=NONE JobDefaults=DefMemPerGPU=29440 \
DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED TRES=cpu=192,mem=980000M,node=3,billing=192,gres/gpu=8
PartitionName=empty AllowGroups=ALL AllowAccounts=ALL {COMMON_23} Hidden=NO MaxTime=01:00:00 Nodes=(null) RootOnly=NO \
State=UP TotalCPUs=0 TotalNodes=0
"""
NODES_23 = """\
NodeName=a01 Arch=x86_64 CoresPerSocket=24 CPUAlloc=0 CPUEfctv=92 CPUTot=96 CPULoad=0.01 Gres=(null) NodeAddr=a01 \
RealMemory=512000 AllocMem=0 FreeMem=500000 Sockets=2 Boards=1 CoreSpecCount=2 MemSpecLimit=12000 State=IDLE+DRAIN \
ThreadsPerCore=2 Partitions=long,admin,secret,closed,other,paid CfgTRES=cpu=92,mem=500000M,billing=92 AllocTRES= \
CurrentWatts=0 AveWatts=0 Reason=disk is full [root@2024-02-28T08:00:00]
NodeName=a02 Arch=x86_64 CoresPerSocket=24 CPUAlloc=0 CPUEfctv=96 CPUTot=96 CPULoad=0.01 Gres=(null) NodeAddr=a02 \
RealMemory=256000 AllocMem=0 Sockets=2 State=ALLOCATED ThreadsPerCore=2 Partitions=long CfgTRES=cpu=96,mem=250G
NodeName=g01 Arch=x86_64 CPUAlloc=0 CPUEfctv=64 CPUTot=64 Gres=gpu:nvidia_a100:4 RealMemory=400000 State=MIXED \
Partitions=gpu CfgTRES=cpu=64,mem=400000M,billing=64,gres/gpu=4 AllocTRES=cpu=2,gres/gpu=1
NodeName=g02 Arch=x86_64 CPUAlloc=0 CPUEfctv=32 CPUTot=32 Gres=gpu:a40:2(S:0),mps:200 RealMemory=190000 State=DOWN \
Partitions=gpu CfgTRES=cpu=32,mem=190000M,billing=32,gres/gpu=2
NodeName=g03 Arch=x86_64 CPUTot=64 Gres=gpu:h100:8 RealMemory=2000000 State=FUTURE Partitions=gpu
"""
SETTINGS_24 = """Configuration data as of 2025-03-01T10:00:00
AccountingStorageType   = accounting_storage/slurmdbd
EnforcePartLimits       = ANY
MinJobAge               = 300 sec
SelectType              = select/cons_tres
SLURM_VERSION           = 24.05.2
"""
PARTITIONS_24 = """\
PartitionName=2gpu AllowGroups=ALL AllowAccounts=ALL AllowQos=normal,high AllocNodes=ALL Default=NO QoS=N/A \
DefaultTime=03:00:00 DisableRootJobs=NO ExclusiveUser=NO ExclusiveTopo=NO GraceTime=0 Hidden=NO MaxNodes=UNLIMITED \
MaxTime=7-00:00:00 MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED MaxCPUsPerSocket=UNLIMITED Nodes=g[324-325] \
PriorityJobFactor=0 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP \
TotalCPUs=64 TotalNodes=2 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerCPU=5000 MaxMemPerNode=180000 \
TRES=cpu=64,mem=382000M,node=2,billing=128,gres/gpu=8 TRESBillingWeights=CPU=2.0,Mem=0
"""
NODES_24 = """\
NodeName=g324 Arch=x86_64 CoresPerSocket=16 CPUAlloc=0 CPUEfctv=32 CPUTot=32 CPULoad=0.02 Gres=gpu:4(S:0-1) \
NodeAddr=g324 RealMemory=191000 Sockets=2 State=IDLE+CLOUD+POWERED_DOWN ThreadsPerCore=1 Partitions=2gpu \
CfgTRES=cpu=32,mem=191000M,billing=64,gres/gpu=4
NodeName=g325 Arch=x86_64 CoresPerSocket=16 CPUAlloc=0 CPUEfctv=32 CPUTot=32 CPULoad=0.02 Gres=(null) NodeAddr=g325 \
RealMemory=191000 Sockets=2 State=IDLE ThreadsPerCore=1 Partitions=2gpu \
CfgTRES=cpu=32,mem=191000M,billing=64,gres/gpu=4,gres/gpu:l40s=4
"""
