// The one place where the messages named here are compiled.
#include "net/wire/api_versions.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_log_dirs.h"
#include "net/wire/describe_quorum.h"
#include "net/wire/message_codec.h"
#include "net/wire/update_features.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(ApiVersionsRequest);
MILLRACE_WIRE_INSTANTIATE(ApiVersionsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeClusterRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeClusterResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeLogDirsRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeLogDirsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeQuorumRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeQuorumResponse);
MILLRACE_WIRE_INSTANTIATE(UpdateFeaturesRequest);
MILLRACE_WIRE_INSTANTIATE(UpdateFeaturesResponse);

}  // namespace millrace::wire
