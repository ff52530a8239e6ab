// The one place where the messages named here are compiled.
#include "net/wire/alter_configs.h"
#include "net/wire/describe_configs.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/list_config_resources.h"
#include "net/wire/message_codec.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(AlterConfigsRequest);
MILLRACE_WIRE_INSTANTIATE(AlterConfigsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeConfigsRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeConfigsResponse);
MILLRACE_WIRE_INSTANTIATE(IncrementalAlterConfigsRequest);
MILLRACE_WIRE_INSTANTIATE(IncrementalAlterConfigsResponse);
MILLRACE_WIRE_INSTANTIATE(ListConfigResourcesRequest);
MILLRACE_WIRE_INSTANTIATE(ListConfigResourcesResponse);

}  // namespace millrace::wire
