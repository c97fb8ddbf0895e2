/**
 * The engine's own models, API 1.51: what its operations take and give, by the names of its own
 * description. Every member is optional here, as it is in what a caller gives; {@link Answer} makes
 * of a model what an engine answers.
 *
 * `<Operation>Query` are the parameters of an operation, `<Operation>Body` is what it is sent,
 * `<Operation>Result` what it answers.
 */

/** Filters of a list: an object of arrays, or that as JSON. */
export type Filters = { [name: string]: string[] | { [value: string]: boolean } | undefined } | string;

/** A model with everything there, as an engine answers it. */
export type Answer<T> = T extends (infer Item)[]
  ? Answer<Item>[]
  : T extends object
    ? { [Name in keyof T]-?: Answer<NonNullable<T[Name]>> }
    : T;

export interface ImageHistoryResponseItem {
  Id?: string;
  Created?: number;
  CreatedBy?: string;
  Tags?: string[];
  Size?: number;
  Comment?: string;
}

export interface Port {
  IP?: string;
  PrivatePort?: number;
  PublicPort?: number;
  Type?: 'tcp' | 'udp' | 'sctp' | (string & {});
}

export type MountType = 'bind' | 'cluster' | 'image' | 'npipe' | 'tmpfs' | 'volume' | (string & {});

export interface MountPoint {
  Type?: MountType;
  Name?: string;
  Source?: string;
  Destination?: string;
  Driver?: string;
  Mode?: string;
  RW?: boolean;
  Propagation?: string;
}

export interface DeviceMapping {
  PathOnHost?: string;
  PathInContainer?: string;
  CgroupPermissions?: string;
}

export interface DeviceRequest {
  Driver?: string;
  Count?: number;
  DeviceIDs?: string[];
  Capabilities?: string[][];
  Options?: { [name: string]: string };
}

export interface ThrottleDevice {
  Path?: string;
  Rate?: number;
}

export interface Mount {
  Target?: string;
  Source?: string;
  Type?: MountType;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: {
    Propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave' | (string & {});
    NonRecursive?: boolean;
    CreateMountpoint?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: { [name: string]: string };
    DriverConfig?: {
      Name?: string;
      Options?: { [name: string]: string };
    };
    Subpath?: string;
  };
  ImageOptions?: {
    Subpath?: string;
  };
  TmpfsOptions?: {
    SizeBytes?: number;
    Mode?: number;
    Options?: string[][];
  };
}

export interface RestartPolicy {
  Name?: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure' | (string & {});
  MaximumRetryCount?: number;
}

export interface Resources {
  CpuShares?: number;
  Memory?: number;
  CgroupParent?: string;
  BlkioWeight?: number;
  BlkioWeightDevice?: {
    Path?: string;
    Weight?: number;
  }[];
  BlkioDeviceReadBps?: ThrottleDevice[];
  BlkioDeviceWriteBps?: ThrottleDevice[];
  BlkioDeviceReadIOps?: ThrottleDevice[];
  BlkioDeviceWriteIOps?: ThrottleDevice[];
  CpuPeriod?: number;
  CpuQuota?: number;
  CpuRealtimePeriod?: number;
  CpuRealtimeRuntime?: number;
  CpusetCpus?: string;
  CpusetMems?: string;
  Devices?: DeviceMapping[];
  DeviceCgroupRules?: string[];
  DeviceRequests?: DeviceRequest[];
  KernelMemoryTCP?: number;
  MemoryReservation?: number;
  MemorySwap?: number;
  MemorySwappiness?: number;
  NanoCpus?: number;
  OomKillDisable?: boolean;
  Init?: boolean;
  PidsLimit?: number;
  Ulimits?: {
    Name?: string;
    Soft?: number;
    Hard?: number;
  }[];
  CpuCount?: number;
  CpuPercent?: number;
  IOMaximumIOps?: number;
  IOMaximumBandwidth?: number;
}

export interface Limit {
  NanoCPUs?: number;
  MemoryBytes?: number;
  Pids?: number;
}

export interface ResourceObject {
  NanoCPUs?: number;
  MemoryBytes?: number;
  GenericResources?: GenericResources;
}

export type GenericResources = {
  NamedResourceSpec?: {
    Kind?: string;
    Value?: string;
  };
  DiscreteResourceSpec?: {
    Kind?: string;
    Value?: number;
  };
}[];

export interface HealthConfig {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  Retries?: number;
  StartPeriod?: number;
  StartInterval?: number;
}

export interface Health {
  Status?: 'none' | 'starting' | 'healthy' | 'unhealthy' | (string & {});
  FailingStreak?: number;
  Log?: HealthcheckResult[];
}

export interface HealthcheckResult {
  Start?: string;
  End?: string;
  ExitCode?: number;
  Output?: string;
}

export type HostConfig = Resources & {
  Binds?: string[];
  ContainerIDFile?: string;
  LogConfig?: {
    Type?: 'local' | 'json-file' | 'syslog' | 'journald' | 'gelf' | 'fluentd' | 'awslogs' | 'splunk' | 'etwlogs' | 'none' | (string & {});
    Config?: { [name: string]: string };
  };
  NetworkMode?: string;
  PortBindings?: PortMap;
  RestartPolicy?: RestartPolicy;
  AutoRemove?: boolean;
  VolumeDriver?: string;
  VolumesFrom?: string[];
  Mounts?: Mount[];
  ConsoleSize?: number[];
  Annotations?: { [name: string]: string };
  CapAdd?: string[];
  CapDrop?: string[];
  CgroupnsMode?: 'private' | 'host' | (string & {});
  Dns?: string[];
  DnsOptions?: string[];
  DnsSearch?: string[];
  ExtraHosts?: string[];
  GroupAdd?: string[];
  IpcMode?: string;
  Cgroup?: string;
  Links?: string[];
  OomScoreAdj?: number;
  PidMode?: string;
  Privileged?: boolean;
  PublishAllPorts?: boolean;
  ReadonlyRootfs?: boolean;
  SecurityOpt?: string[];
  StorageOpt?: { [name: string]: string };
  Tmpfs?: { [name: string]: string };
  UTSMode?: string;
  UsernsMode?: string;
  ShmSize?: number;
  Sysctls?: { [name: string]: string };
  Runtime?: string;
  Isolation?: 'default' | 'process' | 'hyperv' | '' | (string & {});
  MaskedPaths?: string[];
  ReadonlyPaths?: string[];
};

export interface ContainerConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: { [name: string]: { [name: string]: unknown } };
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[];
  Cmd?: string[];
  Healthcheck?: HealthConfig;
  ArgsEscaped?: boolean;
  Image?: string;
  Volumes?: { [name: string]: { [name: string]: unknown } };
  WorkingDir?: string;
  Entrypoint?: string[];
  NetworkDisabled?: boolean;
  MacAddress?: string;
  OnBuild?: string[];
  Labels?: { [name: string]: string };
  StopSignal?: string;
  StopTimeout?: number;
  Shell?: string[];
}

export interface ImageConfig {
  User?: string;
  ExposedPorts?: { [name: string]: { [name: string]: unknown } };
  Env?: string[];
  Cmd?: string[];
  Healthcheck?: HealthConfig;
  ArgsEscaped?: boolean;
  Volumes?: { [name: string]: { [name: string]: unknown } };
  WorkingDir?: string;
  Entrypoint?: string[];
  OnBuild?: string[];
  Labels?: { [name: string]: string };
  StopSignal?: string;
  Shell?: string[];
}

export interface NetworkingConfig {
  EndpointsConfig?: { [name: string]: EndpointSettings };
}

export interface NetworkSettings {
  Bridge?: string;
  SandboxID?: string;
  HairpinMode?: boolean;
  LinkLocalIPv6Address?: string;
  LinkLocalIPv6PrefixLen?: number;
  Ports?: PortMap;
  SandboxKey?: string;
  SecondaryIPAddresses?: Address[];
  SecondaryIPv6Addresses?: Address[];
  EndpointID?: string;
  Gateway?: string;
  GlobalIPv6Address?: string;
  GlobalIPv6PrefixLen?: number;
  IPAddress?: string;
  IPPrefixLen?: number;
  IPv6Gateway?: string;
  MacAddress?: string;
  Networks?: { [name: string]: EndpointSettings };
}

export interface Address {
  Addr?: string;
  PrefixLen?: number;
}

export type PortMap = { [name: string]: PortBinding[] };

export interface PortBinding {
  HostIp?: string;
  HostPort?: string;
}

export interface DriverData {
  Name?: string;
  Data?: { [name: string]: string };
}

export interface FilesystemChange {
  Path?: string;
  Kind?: ChangeType;
}

export type ChangeType = number;

export interface ImageInspect {
  Id?: string;
  Descriptor?: OCIDescriptor;
  Manifests?: ImageManifestSummary[];
  RepoTags?: string[];
  RepoDigests?: string[];
  Parent?: string;
  Comment?: string;
  Created?: string;
  DockerVersion?: string;
  Author?: string;
  Config?: ImageConfig;
  Architecture?: string;
  Variant?: string;
  Os?: string;
  OsVersion?: string;
  Size?: number;
  GraphDriver?: DriverData;
  RootFS?: {
    Type?: string;
    Layers?: string[];
  };
  Metadata?: {
    LastTagTime?: string;
  };
}

export interface ImageSummary {
  Id?: string;
  ParentId?: string;
  RepoTags?: string[];
  RepoDigests?: string[];
  Created?: number;
  Size?: number;
  SharedSize?: number;
  Labels?: { [name: string]: string };
  Containers?: number;
  Manifests?: ImageManifestSummary[];
  Descriptor?: OCIDescriptor;
}

export interface AuthConfig {
  username?: string;
  password?: string;
  email?: string;
  serveraddress?: string;
}

export interface ProcessConfig {
  privileged?: boolean;
  user?: string;
  tty?: boolean;
  entrypoint?: string;
  arguments?: string[];
}

export interface VolumeInfo {
  Name?: string;
  Driver?: string;
  Mountpoint?: string;
  CreatedAt?: string;
  Status?: { [name: string]: { [name: string]: unknown } };
  Labels?: { [name: string]: string };
  Scope?: 'local' | 'global' | (string & {});
  ClusterVolume?: ClusterVolume;
  Options?: { [name: string]: string };
  UsageData?: {
    Size?: number;
    RefCount?: number;
  };
}

export interface VolumeCreateOptions {
  Name?: string;
  Driver?: string;
  DriverOpts?: { [name: string]: string };
  Labels?: { [name: string]: string };
  ClusterVolumeSpec?: ClusterVolumeSpec;
}

export interface VolumeListResponse {
  Volumes?: VolumeInfo[];
  Warnings?: string[];
}

export interface NetworkInspect {
  Name?: string;
  Id?: string;
  Created?: string;
  Scope?: string;
  Driver?: string;
  EnableIPv4?: boolean;
  EnableIPv6?: boolean;
  IPAM?: IPAM;
  Internal?: boolean;
  Attachable?: boolean;
  Ingress?: boolean;
  ConfigFrom?: ConfigReference;
  ConfigOnly?: boolean;
  Containers?: { [name: string]: NetworkContainer };
  Options?: { [name: string]: string };
  Labels?: { [name: string]: string };
  Peers?: PeerInfo[];
}

export interface ConfigReference {
  Network?: string;
}

export interface IPAM {
  Driver?: string;
  Config?: IPAMConfig[];
  Options?: { [name: string]: string };
}

export interface IPAMConfig {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: { [name: string]: string };
}

export interface NetworkContainer {
  Name?: string;
  EndpointID?: string;
  MacAddress?: string;
  IPv4Address?: string;
  IPv6Address?: string;
}

export interface PeerInfo {
  Name?: string;
  IP?: string;
}

export interface NetworkCreateResponse {
  Id?: string;
  Warning?: string;
}

export interface BuildInfo {
  id?: string;
  stream?: string;
  error?: string;
  errorDetail?: ErrorDetail;
  status?: string;
  progress?: string;
  progressDetail?: ProgressDetail;
  aux?: ImageID;
}

export interface BuildCache {
  ID?: string;
  Parents?: string[];
  Type?: 'internal' | 'frontend' | 'source.local' | 'source.git.checkout' | 'exec.cachemount' | 'regular' | (string & {});
  Description?: string;
  InUse?: boolean;
  Shared?: boolean;
  Size?: number;
  CreatedAt?: string;
  LastUsedAt?: string;
  UsageCount?: number;
}

export interface ImageID {
  ID?: string;
}

export interface CreateImageInfo {
  id?: string;
  error?: string;
  errorDetail?: ErrorDetail;
  status?: string;
  progress?: string;
  progressDetail?: ProgressDetail;
}

export interface PushImageInfo {
  error?: string;
  errorDetail?: ErrorDetail;
  status?: string;
  progress?: string;
  progressDetail?: ProgressDetail;
}

export interface DeviceInfo {
  Source?: string;
  ID?: string;
}

export interface ErrorDetail {
  code?: number;
  message?: string;
}

export interface ProgressDetail {
  current?: number;
  total?: number;
}

export interface ErrorResponse {
  message?: string;
}

export interface IDResponse {
  Id?: string;
}

export interface EndpointSettings {
  IPAMConfig?: EndpointIPAMConfig;
  Links?: string[];
  MacAddress?: string;
  Aliases?: string[];
  DriverOpts?: { [name: string]: string };
  GwPriority?: number;
  NetworkID?: string;
  EndpointID?: string;
  Gateway?: string;
  IPAddress?: string;
  IPPrefixLen?: number;
  IPv6Gateway?: string;
  GlobalIPv6Address?: string;
  GlobalIPv6PrefixLen?: number;
  DNSNames?: string[];
}

export interface EndpointIPAMConfig {
  IPv4Address?: string;
  IPv6Address?: string;
  LinkLocalIPs?: string[];
}

export interface PluginMount {
  Name?: string;
  Description?: string;
  Settable?: string[];
  Source?: string;
  Destination?: string;
  Type?: string;
  Options?: string[];
}

export interface PluginDevice {
  Name?: string;
  Description?: string;
  Settable?: string[];
  Path?: string;
}

export interface PluginEnv {
  Name?: string;
  Description?: string;
  Settable?: string[];
  Value?: string;
}

export interface PluginInterfaceType {
  Prefix?: string;
  Capability?: string;
  Version?: string;
}

export interface PluginPrivilege {
  Name?: string;
  Description?: string;
  Value?: string[];
}

export interface PluginInfo {
  Id?: string;
  Name?: string;
  Enabled?: boolean;
  Settings?: {
    Mounts?: PluginMount[];
    Env?: string[];
    Args?: string[];
    Devices?: PluginDevice[];
  };
  PluginReference?: string;
  Config?: {
    DockerVersion?: string;
    Description?: string;
    Documentation?: string;
    Interface?: {
      Types?: PluginInterfaceType[];
      Socket?: string;
      ProtocolScheme?: '' | 'moby.plugins.http/v1' | (string & {});
    };
    Entrypoint?: string[];
    WorkDir?: string;
    User?: {
      UID?: number;
      GID?: number;
    };
    Network?: {
      Type?: string;
    };
    Linux?: {
      Capabilities?: string[];
      AllowAllDevices?: boolean;
      Devices?: PluginDevice[];
    };
    PropagatedMount?: string;
    IpcHost?: boolean;
    PidHost?: boolean;
    Mounts?: PluginMount[];
    Env?: PluginEnv[];
    Args?: {
      Name?: string;
      Description?: string;
      Settable?: string[];
      Value?: string[];
    };
    rootfs?: {
      type?: string;
      diff_ids?: string[];
    };
  };
}

export interface ObjectVersion {
  Index?: number;
}

export interface NodeSpec {
  Name?: string;
  Labels?: { [name: string]: string };
  Role?: 'worker' | 'manager' | (string & {});
  Availability?: 'active' | 'pause' | 'drain' | (string & {});
}

export interface NodeInfo {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: NodeSpec;
  Description?: NodeDescription;
  Status?: NodeStatus;
  ManagerStatus?: ManagerStatus;
}

export interface NodeDescription {
  Hostname?: string;
  Platform?: Platform;
  Resources?: ResourceObject;
  Engine?: EngineDescription;
  TLSInfo?: TLSInfo;
}

export interface Platform {
  Architecture?: string;
  OS?: string;
}

export interface EngineDescription {
  EngineVersion?: string;
  Labels?: { [name: string]: string };
  Plugins?: {
    Type?: string;
    Name?: string;
  }[];
}

export interface TLSInfo {
  TrustRoot?: string;
  CertIssuerSubject?: string;
  CertIssuerPublicKey?: string;
}

export interface NodeStatus {
  State?: NodeState;
  Message?: string;
  Addr?: string;
}

export type NodeState = 'unknown' | 'down' | 'ready' | 'disconnected' | (string & {});

export interface ManagerStatus {
  Leader?: boolean;
  Reachability?: Reachability;
  Addr?: string;
}

export type Reachability = 'unknown' | 'unreachable' | 'reachable' | (string & {});

export interface SwarmSpec {
  Name?: string;
  Labels?: { [name: string]: string };
  Orchestration?: {
    TaskHistoryRetentionLimit?: number;
  };
  Raft?: {
    SnapshotInterval?: number;
    KeepOldSnapshots?: number;
    LogEntriesForSlowFollowers?: number;
    ElectionTick?: number;
    HeartbeatTick?: number;
  };
  Dispatcher?: {
    HeartbeatPeriod?: number;
  };
  CAConfig?: {
    NodeCertExpiry?: number;
    ExternalCAs?: {
      Protocol?: 'cfssl' | (string & {});
      URL?: string;
      Options?: { [name: string]: string };
      CACert?: string;
    }[];
    SigningCACert?: string;
    SigningCAKey?: string;
    ForceRotate?: number;
  };
  EncryptionConfig?: {
    AutoLockManagers?: boolean;
  };
  TaskDefaults?: {
    LogDriver?: {
      Name?: string;
      Options?: { [name: string]: string };
    };
  };
}

export interface ClusterInfo {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: SwarmSpec;
  TLSInfo?: TLSInfo;
  RootRotationInProgress?: boolean;
  DataPathPort?: number;
  DefaultAddrPool?: string[];
  SubnetSize?: number;
}

export interface JoinTokens {
  Worker?: string;
  Manager?: string;
}

export type SwarmInspect = ClusterInfo & {
  JoinTokens?: JoinTokens;
};

export interface TaskSpec {
  PluginSpec?: {
    Name?: string;
    Remote?: string;
    Disabled?: boolean;
    PluginPrivilege?: PluginPrivilege[];
  };
  ContainerSpec?: {
    Image?: string;
    Labels?: { [name: string]: string };
    Command?: string[];
    Args?: string[];
    Hostname?: string;
    Env?: string[];
    Dir?: string;
    User?: string;
    Groups?: string[];
    Privileges?: {
      CredentialSpec?: {
        Config?: string;
        File?: string;
        Registry?: string;
      };
      SELinuxContext?: {
        Disable?: boolean;
        User?: string;
        Role?: string;
        Type?: string;
        Level?: string;
      };
      Seccomp?: {
        Mode?: 'default' | 'unconfined' | 'custom' | (string & {});
        Profile?: string;
      };
      AppArmor?: {
        Mode?: 'default' | 'disabled' | (string & {});
      };
      NoNewPrivileges?: boolean;
    };
    TTY?: boolean;
    OpenStdin?: boolean;
    ReadOnly?: boolean;
    Mounts?: Mount[];
    StopSignal?: string;
    StopGracePeriod?: number;
    HealthCheck?: HealthConfig;
    Hosts?: string[];
    DNSConfig?: {
      Nameservers?: string[];
      Search?: string[];
      Options?: string[];
    };
    Secrets?: {
      File?: {
        Name?: string;
        UID?: string;
        GID?: string;
        Mode?: number;
      };
      SecretID?: string;
      SecretName?: string;
    }[];
    OomScoreAdj?: number;
    Configs?: {
      File?: {
        Name?: string;
        UID?: string;
        GID?: string;
        Mode?: number;
      };
      Runtime?: { [name: string]: unknown };
      ConfigID?: string;
      ConfigName?: string;
    }[];
    Isolation?: 'default' | 'process' | 'hyperv' | '' | (string & {});
    Init?: boolean;
    Sysctls?: { [name: string]: string };
    CapabilityAdd?: string[];
    CapabilityDrop?: string[];
    Ulimits?: {
      Name?: string;
      Soft?: number;
      Hard?: number;
    }[];
  };
  NetworkAttachmentSpec?: {
    ContainerID?: string;
  };
  Resources?: {
    Limits?: Limit;
    Reservations?: ResourceObject;
  };
  RestartPolicy?: {
    Condition?: 'none' | 'on-failure' | 'any' | (string & {});
    Delay?: number;
    MaxAttempts?: number;
    Window?: number;
  };
  Placement?: {
    Constraints?: string[];
    Preferences?: {
      Spread?: {
        SpreadDescriptor?: string;
      };
    }[];
    MaxReplicas?: number;
    Platforms?: Platform[];
  };
  ForceUpdate?: number;
  Runtime?: string;
  Networks?: NetworkAttachmentConfig[];
  LogDriver?: {
    Name?: string;
    Options?: { [name: string]: string };
  };
}

export type TaskState = 'new' | 'allocated' | 'pending' | 'assigned' | 'accepted' | 'preparing' | 'ready' | 'starting' | 'running' | 'complete' | 'shutdown' | 'failed' | 'rejected' | 'remove' | 'orphaned' | (string & {});

export interface ContainerStatus {
  ContainerID?: string;
  PID?: number;
  ExitCode?: number;
}

export interface PortStatus {
  Ports?: EndpointPortConfig[];
}

export interface TaskStatus {
  Timestamp?: string;
  State?: TaskState;
  Message?: string;
  Err?: string;
  ContainerStatus?: ContainerStatus;
  PortStatus?: PortStatus;
}

export interface NetworkAttachment {
  Network?: NetworkInspect;
  Addresses?: string[];
}

export interface TaskInfo {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Name?: string;
  Labels?: { [name: string]: string };
  Spec?: TaskSpec;
  ServiceID?: string;
  Slot?: number;
  NodeID?: string;
  AssignedGenericResources?: GenericResources;
  Status?: TaskStatus;
  DesiredState?: TaskState;
  JobIteration?: ObjectVersion;
  NetworksAttachments?: NetworkAttachment[];
}

export interface ServiceSpec {
  Name?: string;
  Labels?: { [name: string]: string };
  TaskTemplate?: TaskSpec;
  Mode?: {
    Replicated?: {
      Replicas?: number;
    };
    Global?: { [name: string]: unknown };
    ReplicatedJob?: {
      MaxConcurrent?: number;
      TotalCompletions?: number;
    };
    GlobalJob?: { [name: string]: unknown };
  };
  UpdateConfig?: {
    Parallelism?: number;
    Delay?: number;
    FailureAction?: 'continue' | 'pause' | 'rollback' | (string & {});
    Monitor?: number;
    MaxFailureRatio?: number;
    Order?: 'stop-first' | 'start-first' | (string & {});
  };
  RollbackConfig?: {
    Parallelism?: number;
    Delay?: number;
    FailureAction?: 'continue' | 'pause' | (string & {});
    Monitor?: number;
    MaxFailureRatio?: number;
    Order?: 'stop-first' | 'start-first' | (string & {});
  };
  Networks?: NetworkAttachmentConfig[];
  EndpointSpec?: EndpointSpec;
}

export interface EndpointPortConfig {
  Name?: string;
  Protocol?: 'tcp' | 'udp' | 'sctp' | (string & {});
  TargetPort?: number;
  PublishedPort?: number;
  PublishMode?: 'ingress' | 'host' | (string & {});
}

export interface EndpointSpec {
  Mode?: 'vip' | 'dnsrr' | (string & {});
  Ports?: EndpointPortConfig[];
}

export interface ServiceInfo {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: ServiceSpec;
  Endpoint?: {
    Spec?: EndpointSpec;
    Ports?: EndpointPortConfig[];
    VirtualIPs?: {
      NetworkID?: string;
      Addr?: string;
    }[];
  };
  UpdateStatus?: {
    State?: 'updating' | 'paused' | 'completed' | (string & {});
    StartedAt?: string;
    CompletedAt?: string;
    Message?: string;
  };
  ServiceStatus?: {
    RunningTasks?: number;
    DesiredTasks?: number;
    CompletedTasks?: number;
  };
  JobStatus?: {
    JobIteration?: ObjectVersion;
    LastExecution?: string;
  };
}

export interface ImageDeleteResponseItem {
  Untagged?: string;
  Deleted?: string;
}

export interface ServiceCreateResponse {
  ID?: string;
  Warnings?: string[];
}

export interface ServiceUpdateResponse {
  Warnings?: string[];
}

export interface ContainerInspectResponse {
  Id?: string;
  Created?: string;
  Path?: string;
  Args?: string[];
  State?: ContainerState;
  Image?: string;
  ResolvConfPath?: string;
  HostnamePath?: string;
  HostsPath?: string;
  LogPath?: string;
  Name?: string;
  RestartCount?: number;
  Driver?: string;
  Platform?: string;
  ImageManifestDescriptor?: OCIDescriptor;
  MountLabel?: string;
  ProcessLabel?: string;
  AppArmorProfile?: string;
  ExecIDs?: string[];
  HostConfig?: HostConfig;
  GraphDriver?: DriverData;
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts?: MountPoint[];
  Config?: ContainerConfig;
  NetworkSettings?: NetworkSettings;
}

export interface ContainerSummary {
  Id?: string;
  Names?: string[];
  Image?: string;
  ImageID?: string;
  ImageManifestDescriptor?: OCIDescriptor;
  Command?: string;
  Created?: number;
  Ports?: Port[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels?: { [name: string]: string };
  State?: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead' | (string & {});
  Status?: string;
  HostConfig?: {
    NetworkMode?: string;
    Annotations?: { [name: string]: string };
  };
  NetworkSettings?: {
    Networks?: { [name: string]: EndpointSettings };
  };
  Mounts?: MountPoint[];
}

export interface Driver {
  Name?: string;
  Options?: { [name: string]: string };
}

export interface SecretSpec {
  Name?: string;
  Labels?: { [name: string]: string };
  Data?: string;
  Driver?: Driver;
  Templating?: Driver;
}

export interface SecretObject {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: SecretSpec;
}

export interface ConfigSpec {
  Name?: string;
  Labels?: { [name: string]: string };
  Data?: string;
  Templating?: Driver;
}

export interface ConfigObject {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: ConfigSpec;
}

export interface ContainerState {
  Status?: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead' | (string & {});
  Running?: boolean;
  Paused?: boolean;
  Restarting?: boolean;
  OOMKilled?: boolean;
  Dead?: boolean;
  Pid?: number;
  ExitCode?: number;
  Error?: string;
  StartedAt?: string;
  FinishedAt?: string;
  Health?: Health;
}

export interface ContainerCreateResponse {
  Id?: string;
  Warnings?: string[];
}

export interface ContainerUpdateResponse {
  Warnings?: string[];
}

export interface ContainerStatsResponse {
  name?: string;
  id?: string;
  read?: string;
  preread?: string;
  pids_stats?: ContainerPidsStats;
  blkio_stats?: ContainerBlkioStats;
  num_procs?: number;
  storage_stats?: ContainerStorageStats;
  cpu_stats?: ContainerCPUStats;
  precpu_stats?: ContainerCPUStats;
  memory_stats?: ContainerMemoryStats;
  networks?: { [name: string]: ContainerNetworkStats };
}

export interface ContainerBlkioStats {
  io_service_bytes_recursive?: ContainerBlkioStatEntry[];
  io_serviced_recursive?: ContainerBlkioStatEntry[];
  io_queue_recursive?: ContainerBlkioStatEntry[];
  io_service_time_recursive?: ContainerBlkioStatEntry[];
  io_wait_time_recursive?: ContainerBlkioStatEntry[];
  io_merged_recursive?: ContainerBlkioStatEntry[];
  io_time_recursive?: ContainerBlkioStatEntry[];
  sectors_recursive?: ContainerBlkioStatEntry[];
}

export interface ContainerBlkioStatEntry {
  major?: number;
  minor?: number;
  op?: string;
  value?: number;
}

export interface ContainerCPUStats {
  cpu_usage?: ContainerCPUUsage;
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data?: ContainerThrottlingData;
}

export interface ContainerCPUUsage {
  total_usage?: number;
  percpu_usage?: number[];
  usage_in_kernelmode?: number;
  usage_in_usermode?: number;
}

export interface ContainerPidsStats {
  current?: number;
  limit?: number;
}

export interface ContainerThrottlingData {
  periods?: number;
  throttled_periods?: number;
  throttled_time?: number;
}

export interface ContainerMemoryStats {
  usage?: number;
  max_usage?: number;
  stats?: { [name: string]: number };
  failcnt?: number;
  limit?: number;
  commitbytes?: number;
  commitpeakbytes?: number;
  privateworkingset?: number;
}

export interface ContainerNetworkStats {
  rx_bytes?: number;
  rx_packets?: number;
  rx_errors?: number;
  rx_dropped?: number;
  tx_bytes?: number;
  tx_packets?: number;
  tx_errors?: number;
  tx_dropped?: number;
  endpoint_id?: string;
  instance_id?: string;
}

export interface ContainerStorageStats {
  read_count_normalized?: number;
  read_size_bytes?: number;
  write_count_normalized?: number;
  write_size_bytes?: number;
}

export interface ContainerTopResponse {
  Titles?: string[];
  Processes?: string[][];
}

export interface ContainerWaitResponse {
  StatusCode?: number;
  Error?: ContainerWaitExitError;
}

export interface ContainerWaitExitError {
  Message?: string;
}

export interface SystemVersion {
  Platform?: {
    Name?: string;
  };
  Components?: {
    Name?: string;
    Version?: string;
    Details?: { [name: string]: unknown };
  }[];
  Version?: string;
  ApiVersion?: string;
  MinAPIVersion?: string;
  GitCommit?: string;
  GoVersion?: string;
  Os?: string;
  Arch?: string;
  KernelVersion?: string;
  Experimental?: boolean;
  BuildTime?: string;
}

export interface SystemInfo {
  ID?: string;
  Containers?: number;
  ContainersRunning?: number;
  ContainersPaused?: number;
  ContainersStopped?: number;
  Images?: number;
  Driver?: string;
  DriverStatus?: string[][];
  DockerRootDir?: string;
  Plugins?: PluginsInfo;
  MemoryLimit?: boolean;
  SwapLimit?: boolean;
  KernelMemoryTCP?: boolean;
  CpuCfsPeriod?: boolean;
  CpuCfsQuota?: boolean;
  CPUShares?: boolean;
  CPUSet?: boolean;
  PidsLimit?: boolean;
  OomKillDisable?: boolean;
  IPv4Forwarding?: boolean;
  Debug?: boolean;
  NFd?: number;
  NGoroutines?: number;
  SystemTime?: string;
  LoggingDriver?: string;
  CgroupDriver?: 'cgroupfs' | 'systemd' | 'none' | (string & {});
  CgroupVersion?: '1' | '2' | (string & {});
  NEventsListener?: number;
  KernelVersion?: string;
  OperatingSystem?: string;
  OSVersion?: string;
  OSType?: string;
  Architecture?: string;
  NCPU?: number;
  MemTotal?: number;
  IndexServerAddress?: string;
  RegistryConfig?: RegistryServiceConfig;
  GenericResources?: GenericResources;
  HttpProxy?: string;
  HttpsProxy?: string;
  NoProxy?: string;
  Name?: string;
  Labels?: string[];
  ExperimentalBuild?: boolean;
  ServerVersion?: string;
  Runtimes?: { [name: string]: Runtime };
  DefaultRuntime?: string;
  Swarm?: SwarmInfo;
  LiveRestoreEnabled?: boolean;
  Isolation?: 'default' | 'hyperv' | 'process' | '' | (string & {});
  InitBinary?: string;
  ContainerdCommit?: Commit;
  RuncCommit?: Commit;
  InitCommit?: Commit;
  SecurityOptions?: string[];
  ProductLicense?: string;
  DefaultAddressPools?: {
    Base?: string;
    Size?: number;
  }[];
  FirewallBackend?: FirewallInfo;
  DiscoveredDevices?: DeviceInfo[];
  Warnings?: string[];
  CDISpecDirs?: string[];
  Containerd?: ContainerdInfo;
}

export interface ContainerdInfo {
  Address?: string;
  Namespaces?: {
    Containers?: string;
    Plugins?: string;
  };
}

export interface FirewallInfo {
  Driver?: string;
  Info?: string[][];
}

export interface PluginsInfo {
  Volume?: string[];
  Network?: string[];
  Authorization?: string[];
  Log?: string[];
}

export interface RegistryServiceConfig {
  InsecureRegistryCIDRs?: string[];
  IndexConfigs?: { [name: string]: IndexInfo };
  Mirrors?: string[];
}

export interface IndexInfo {
  Name?: string;
  Mirrors?: string[];
  Secure?: boolean;
  Official?: boolean;
}

export interface Runtime {
  path?: string;
  runtimeArgs?: string[];
  status?: { [name: string]: string };
}

export interface Commit {
  ID?: string;
}

export interface SwarmInfo {
  NodeID?: string;
  NodeAddr?: string;
  LocalNodeState?: LocalNodeState;
  ControlAvailable?: boolean;
  Error?: string;
  RemoteManagers?: PeerNode[];
  Nodes?: number;
  Managers?: number;
  Cluster?: ClusterInfo;
}

export type LocalNodeState = '' | 'inactive' | 'pending' | 'active' | 'error' | 'locked' | (string & {});

export interface PeerNode {
  NodeID?: string;
  Addr?: string;
}

export interface NetworkAttachmentConfig {
  Target?: string;
  Aliases?: string[];
  DriverOpts?: { [name: string]: string };
}

export interface EventActor {
  ID?: string;
  Attributes?: { [name: string]: string };
}

export interface EventMessage {
  Type?: 'builder' | 'config' | 'container' | 'daemon' | 'image' | 'network' | 'node' | 'plugin' | 'secret' | 'service' | 'volume' | (string & {});
  Action?: string;
  Actor?: EventActor;
  scope?: 'local' | 'swarm' | (string & {});
  time?: number;
  timeNano?: number;
}

export interface OCIDescriptor {
  mediaType?: string;
  digest?: string;
  size?: number;
  urls?: string[];
  annotations?: { [name: string]: string };
  data?: string;
  platform?: OCIPlatform;
  artifactType?: string;
}

export interface OCIPlatform {
  architecture?: string;
  os?: string;
  'os.version'?: string;
  'os.features'?: string[];
  variant?: string;
}

export interface DistributionInspect {
  Descriptor?: OCIDescriptor;
  Platforms?: OCIPlatform[];
}

export interface ClusterVolume {
  ID?: string;
  Version?: ObjectVersion;
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec?: ClusterVolumeSpec;
  Info?: {
    CapacityBytes?: number;
    VolumeContext?: { [name: string]: string };
    VolumeID?: string;
    AccessibleTopology?: Topology[];
  };
  PublishStatus?: {
    NodeID?: string;
    State?: 'pending-publish' | 'published' | 'pending-node-unpublish' | 'pending-controller-unpublish' | (string & {});
    PublishContext?: { [name: string]: string };
  }[];
}

export interface ClusterVolumeSpec {
  Group?: string;
  AccessMode?: {
    Scope?: 'single' | 'multi' | (string & {});
    Sharing?: 'none' | 'readonly' | 'onewriter' | 'all' | (string & {});
    MountVolume?: { [name: string]: unknown };
    Secrets?: {
      Key?: string;
      Secret?: string;
    }[];
    AccessibilityRequirements?: {
      Requisite?: Topology[];
      Preferred?: Topology[];
    };
    CapacityRange?: {
      RequiredBytes?: number;
      LimitBytes?: number;
    };
    Availability?: 'active' | 'pause' | 'drain' | (string & {});
  };
}

export interface Topology {
  Segments?: { [name: string]: string };
}

export interface ImageManifestSummary {
  ID?: string;
  Descriptor?: OCIDescriptor;
  Available?: boolean;
  Size?: {
    Total?: number;
    Content?: number;
  };
  Kind?: 'image' | 'attestation' | 'unknown' | (string & {});
  ImageData?: {
    Platform?: OCIPlatform;
    Containers?: string[];
    Size?: {
      Unpacked?: number;
    };
  };
  AttestationData?: {
    For?: string;
  };
}

// What each operation takes and gives.

export interface ContainerListQuery {
  all?: boolean;
  limit?: number;
  size?: boolean;
  filters?: Filters;
}

export type ContainerListResult = ContainerSummary[];

export interface ContainerCreateQuery {
  name?: string;
  platform?: string;
}

export type ContainerCreateBody = ContainerConfig & {
  HostConfig?: HostConfig;
  NetworkingConfig?: NetworkingConfig;
};

export type ContainerCreateResult = ContainerCreateResponse;

export interface ContainerInspectQuery {
  size?: boolean;
}

export type ContainerInspectResult = ContainerInspectResponse;

export interface ContainerTopQuery {
  ps_args?: string;
}

export type ContainerTopResult = ContainerTopResponse;

export interface ContainerLogsQuery {
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  since?: number | string;
  until?: number | string;
  timestamps?: boolean;
  tail?: number | string;
}

export type ContainerChangesResult = FilesystemChange[];

export interface ContainerStatsQuery {
  stream?: boolean;
  'one-shot'?: boolean;
}

export type ContainerStatsResult = ContainerStatsResponse;

export interface ContainerResizeQuery {
  h?: number;
  w?: number;
}

export interface ContainerStartQuery {
  detachKeys?: string;
}

export interface ContainerStopQuery {
  signal?: string;
  t?: number;
}

export interface ContainerRestartQuery {
  signal?: string;
  t?: number;
}

export interface ContainerKillQuery {
  signal?: string;
}

export type ContainerUpdateBody = Resources & {
  RestartPolicy?: RestartPolicy;
};

export type ContainerUpdateResult = ContainerUpdateResponse;

export interface ContainerRenameQuery {
  name?: string;
}

export interface ContainerAttachQuery {
  detachKeys?: string;
  logs?: boolean;
  stream?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
}

export interface ContainerWaitQuery {
  condition?: 'not-running' | 'next-exit' | 'removed' | (string & {});
}

export type ContainerWaitResult = ContainerWaitResponse;

export interface ContainerDeleteQuery {
  v?: boolean;
  force?: boolean;
  link?: boolean;
}

export interface ContainerArchiveInfoQuery {
  path?: string;
}

export interface ContainerArchiveQuery {
  path?: string;
}

export interface PutContainerArchiveQuery {
  path?: string;
  noOverwriteDirNonDir?: string;
  copyUIDGID?: string;
}

export interface ContainerPruneQuery {
  filters?: Filters;
}

export interface ContainerPruneResult {
  ContainersDeleted?: string[];
  SpaceReclaimed?: number;
}

export interface ImageListQuery {
  all?: boolean;
  filters?: Filters;
  'shared-size'?: boolean;
  digests?: boolean;
  manifests?: boolean;
}

export type ImageListResult = ImageSummary[];

export interface ImageBuildQuery {
  dockerfile?: string;
  t?: string | string[];
  extrahosts?: string;
  remote?: string;
  q?: boolean;
  nocache?: boolean;
  cachefrom?: string | string[];
  pull?: string;
  rm?: boolean;
  forcerm?: boolean;
  memory?: number;
  memswap?: number;
  cpushares?: number;
  cpusetcpus?: string;
  cpuperiod?: number;
  cpuquota?: number;
  buildargs?: { [name: string]: string } | string;
  shmsize?: number;
  squash?: boolean;
  labels?: { [name: string]: string } | string;
  networkmode?: string;
  platform?: string;
  target?: string;
  outputs?: string;
  version?: '1' | '2' | (string & {});
}

export interface BuildPruneQuery {
  'keep-storage'?: number;
  'reserved-space'?: number;
  'max-used-space'?: number;
  'min-free-space'?: number;
  all?: boolean;
  filters?: Filters;
}

export interface BuildPruneResult {
  CachesDeleted?: string[];
  SpaceReclaimed?: number;
}

export interface ImageCreateQuery {
  fromImage?: string;
  fromSrc?: string;
  repo?: string;
  tag?: string;
  message?: string;
  changes?: string | string[];
  platform?: string;
}

export interface ImageInspectQuery {
  manifests?: boolean;
  platform?: string;
}

export type ImageInspectResult = ImageInspect;

export interface ImageHistoryQuery {
  platform?: string;
}

export type ImageHistoryResult = ImageHistoryResponseItem[];

export interface ImagePushQuery {
  tag?: string;
  platform?: string;
}

export interface ImageTagQuery {
  repo?: string;
  tag?: string;
}

export interface ImageDeleteQuery {
  force?: boolean;
  noprune?: boolean;
  platforms?: string | string[];
}

export type ImageDeleteResult = ImageDeleteResponseItem[];

export interface ImageSearchQuery {
  term?: string;
  limit?: number;
  filters?: Filters;
}

export type ImageSearchResult = {
  description?: string;
  is_official?: boolean;
  is_automated?: boolean;
  name?: string;
  star_count?: number;
}[];

export interface ImagePruneQuery {
  filters?: Filters;
}

export interface ImagePruneResult {
  ImagesDeleted?: ImageDeleteResponseItem[];
  SpaceReclaimed?: number;
}

export type SystemAuthBody = AuthConfig;

export interface SystemAuthResult {
  Status?: string;
  IdentityToken?: string;
}

export type SystemInfoResult = SystemInfo;

export type SystemVersionResult = SystemVersion;

export interface ImageCommitQuery {
  container?: string;
  repo?: string;
  tag?: string;
  comment?: string;
  author?: string;
  pause?: boolean;
  changes?: string | string[];
}

export type ImageCommitBody = ContainerConfig;

export type ImageCommitResult = IDResponse;

export interface SystemEventsQuery {
  since?: number | string;
  until?: number | string;
  filters?: Filters;
}

export type SystemEventsResult = EventMessage;

export interface SystemDataUsageQuery {
  type?: string | string[];
}

export interface SystemDataUsageResult {
  LayersSize?: number;
  Images?: ImageSummary[];
  Containers?: ContainerSummary[];
  Volumes?: VolumeInfo[];
  BuildCache?: BuildCache[];
}

export interface ImageGetQuery {
  platform?: string;
}

export interface ImageGetAllQuery {
  names?: string | string[];
  platform?: string;
}

export interface ImageLoadQuery {
  quiet?: boolean;
  platform?: string;
}

export interface ContainerExecBody {
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ConsoleSize?: number[];
  DetachKeys?: string;
  Tty?: boolean;
  Env?: string[];
  Cmd?: string[];
  Privileged?: boolean;
  User?: string;
  WorkingDir?: string;
}

export type ContainerExecResult = IDResponse;

export interface ExecStartBody {
  Detach?: boolean;
  Tty?: boolean;
  ConsoleSize?: number[];
}

export interface ExecResizeQuery {
  h?: number;
  w?: number;
}

export interface ExecInspectResult {
  CanRemove?: boolean;
  DetachKeys?: string;
  ID?: string;
  Running?: boolean;
  ExitCode?: number;
  ProcessConfig?: ProcessConfig;
  OpenStdin?: boolean;
  OpenStderr?: boolean;
  OpenStdout?: boolean;
  ContainerID?: string;
  Pid?: number;
}

export interface VolumeListQuery {
  filters?: Filters;
}

export type VolumeListResult = VolumeListResponse;

export type VolumeCreateBody = VolumeCreateOptions;

export type VolumeCreateResult = VolumeInfo;

export type VolumeInspectResult = VolumeInfo;

export interface VolumeUpdateQuery {
  version?: number;
}

export interface VolumeUpdateBody {
  Spec?: ClusterVolumeSpec;
}

export interface VolumeDeleteQuery {
  force?: boolean;
}

export interface VolumePruneQuery {
  filters?: Filters;
}

export interface VolumePruneResult {
  VolumesDeleted?: string[];
  SpaceReclaimed?: number;
}

export interface NetworkListQuery {
  filters?: Filters;
}

export type NetworkListResult = NetworkInspect[];

export interface NetworkInspectQuery {
  verbose?: boolean;
  scope?: string;
}

export type NetworkInspectResult = NetworkInspect;

export interface NetworkCreateBody {
  Name?: string;
  Driver?: string;
  Scope?: string;
  Internal?: boolean;
  Attachable?: boolean;
  Ingress?: boolean;
  ConfigOnly?: boolean;
  ConfigFrom?: ConfigReference;
  IPAM?: IPAM;
  EnableIPv4?: boolean;
  EnableIPv6?: boolean;
  Options?: { [name: string]: string };
  Labels?: { [name: string]: string };
}

export type NetworkCreateResult = NetworkCreateResponse;

export interface NetworkConnectBody {
  Container?: string;
  EndpointConfig?: EndpointSettings;
}

export interface NetworkDisconnectBody {
  Container?: string;
  Force?: boolean;
}

export interface NetworkPruneQuery {
  filters?: Filters;
}

export interface NetworkPruneResult {
  NetworksDeleted?: string[];
}

export interface PluginListQuery {
  filters?: Filters;
}

export type PluginListResult = PluginInfo[];

export interface GetPluginPrivilegesQuery {
  remote?: string;
}

export type GetPluginPrivilegesResult = PluginPrivilege[];

export interface PluginPullQuery {
  remote?: string;
  name?: string;
}

export type PluginPullBody = PluginPrivilege[];

export type PluginInspectResult = PluginInfo;

export interface PluginDeleteQuery {
  force?: boolean;
}

export type PluginDeleteResult = PluginInfo;

export interface PluginEnableQuery {
  timeout?: number;
}

export interface PluginDisableQuery {
  force?: boolean;
}

export interface PluginUpgradeQuery {
  remote?: string;
}

export type PluginUpgradeBody = PluginPrivilege[];

export interface PluginCreateQuery {
  name?: string;
}

export type PluginSetBody = string[];

export interface NodeListQuery {
  filters?: Filters;
}

export type NodeListResult = NodeInfo[];

export type NodeInspectResult = NodeInfo;

export interface NodeDeleteQuery {
  force?: boolean;
}

export interface NodeUpdateQuery {
  version?: number;
}

export type NodeUpdateBody = NodeSpec;

export type SwarmInspectResult = SwarmInspect;

export interface SwarmInitBody {
  ListenAddr?: string;
  AdvertiseAddr?: string;
  DataPathAddr?: string;
  DataPathPort?: number;
  DefaultAddrPool?: string[];
  ForceNewCluster?: boolean;
  SubnetSize?: number;
  Spec?: SwarmSpec;
}

export interface SwarmJoinBody {
  ListenAddr?: string;
  AdvertiseAddr?: string;
  DataPathAddr?: string;
  RemoteAddrs?: string[];
  JoinToken?: string;
}

export interface SwarmLeaveQuery {
  force?: boolean;
}

export interface SwarmUpdateQuery {
  version?: number;
  rotateWorkerToken?: boolean;
  rotateManagerToken?: boolean;
  rotateManagerUnlockKey?: boolean;
}

export type SwarmUpdateBody = SwarmSpec;

export interface SwarmUnlockkeyResult {
  UnlockKey?: string;
}

export interface SwarmUnlockBody {
  UnlockKey?: string;
}

export interface ServiceListQuery {
  filters?: Filters;
  status?: boolean;
}

export type ServiceListResult = ServiceInfo[];

export type ServiceCreateBody = ServiceSpec;

export type ServiceCreateResult = ServiceCreateResponse;

export interface ServiceInspectQuery {
  insertDefaults?: boolean;
}

export type ServiceInspectResult = ServiceInfo;

export interface ServiceUpdateQuery {
  version?: number;
  registryAuthFrom?: 'spec' | 'previous-spec' | (string & {});
  rollback?: string;
}

export type ServiceUpdateBody = ServiceSpec;

export type ServiceUpdateResult = ServiceUpdateResponse;

export interface ServiceLogsQuery {
  details?: boolean;
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  since?: number | string;
  timestamps?: boolean;
  tail?: number | string;
}

export interface TaskListQuery {
  filters?: Filters;
}

export type TaskListResult = TaskInfo[];

export type TaskInspectResult = TaskInfo;

export interface TaskLogsQuery {
  details?: boolean;
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  since?: number | string;
  timestamps?: boolean;
  tail?: number | string;
}

export interface SecretListQuery {
  filters?: Filters;
}

export type SecretListResult = SecretObject[];

export type SecretCreateBody = SecretSpec;

export type SecretCreateResult = IDResponse;

export type SecretInspectResult = SecretObject;

export interface SecretUpdateQuery {
  version?: number;
}

export type SecretUpdateBody = SecretSpec;

export interface ConfigListQuery {
  filters?: Filters;
}

export type ConfigListResult = ConfigObject[];

export type ConfigCreateBody = ConfigSpec;

export type ConfigCreateResult = IDResponse;

export type ConfigInspectResult = ConfigObject;

export interface ConfigUpdateQuery {
  version?: number;
}

export type ConfigUpdateBody = ConfigSpec;

export type DistributionInspectResult = DistributionInspect;
