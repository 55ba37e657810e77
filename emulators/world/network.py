"""VPCs, subnets and their routes, prefix lists, security groups and their rules."""

from .scope import WorldError, known_keys, tag_list

WORLD_IPV4, WORLD_IPV6 = "0.0.0.0/0", "::/0"


def make_vpc(world, scope, name, spec):
    known_keys(spec, {"cidr", "ipv6", "subnets", "main_route", "tags"}, f"vpcs.{name}")
    ec2 = scope.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=spec.get("cidr", "10.0.0.0/16"), AmazonProvidedIpv6CidrBlock=bool(spec.get("ipv6")))
    vpc_id = vpc["Vpc"]["VpcId"]
    scope.put("vpcs", name, vpc_id)
    # A database that is to be reached from outside needs names on AWS, and so does a task on moto (else HTTP 500).
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    ec2.create_tags(Resources=[vpc_id], Tags=tag_list({"Name": name, **spec.get("tags", {})}))
    tables = _RouteTables(ec2, vpc_id)
    if spec.get("main_route", "local") != "local":
        tables.add_route(tables.main(), spec["main_route"])
    for subnet_name, subnet in spec.get("subnets", {}).items():
        _make_subnet(scope, tables, subnet_name, subnet)


def _make_subnet(scope, tables, name, spec):
    known_keys(spec, {"cidr", "cidr6", "az", "route", "public_ips", "tags"}, f"subnets.{name}")
    ec2 = scope.client("ec2")
    request = {"VpcId": tables.vpc_id, "CidrBlock": spec["cidr"], "AvailabilityZone": scope.region + spec.get("az", "a")}
    if "cidr6" in spec:
        request["Ipv6CidrBlock"] = spec["cidr6"]
    subnet_id = ec2.create_subnet(**request)["Subnet"]["SubnetId"]
    scope.put("subnets", name, subnet_id)
    ec2.create_tags(Resources=[subnet_id], Tags=tag_list({"Name": name, **spec.get("tags", {})}))
    if spec.get("public_ips"):
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
    route = spec.get("route", "local")
    if route == "main":  # no association of its own: the VPC's main route table holds
        return
    table = tables.make()
    scope.put("route_tables", name, table)
    if route != "local":
        tables.add_route(table, route, subnet_id)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet_id)


class _RouteTables:
    """The route tables of one VPC, and the gateways that their routes need, each made when first needed."""

    def __init__(self, ec2, vpc_id):
        self._ec2, self.vpc_id = ec2, vpc_id
        self._internet = self._egress_only = None

    def main(self):
        filters = [{"Name": "vpc-id", "Values": [self.vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
        return self._ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]

    def make(self):
        return self._ec2.create_route_table(VpcId=self.vpc_id)["RouteTable"]["RouteTableId"]

    def add_route(self, table, kind, subnet_id=None):
        create = self._ec2.create_route
        if kind == "igw":
            create(RouteTableId=table, DestinationCidrBlock=WORLD_IPV4, GatewayId=self._internet_gateway())
        elif kind == "igw6":
            create(RouteTableId=table, DestinationIpv6CidrBlock=WORLD_IPV6, GatewayId=self._internet_gateway())
        elif kind == "egress6":
            gateway = self._egress_only_gateway()
            create(RouteTableId=table, DestinationIpv6CidrBlock=WORLD_IPV6, EgressOnlyInternetGatewayId=gateway)
        elif kind == "nat":
            if subnet_id is None:
                raise WorldError("main_route: nat is not supported; give the subnets route: nat")
            nat = self._ec2.create_nat_gateway(SubnetId=subnet_id, ConnectivityType="private")["NatGateway"]
            create(RouteTableId=table, DestinationCidrBlock=WORLD_IPV4, NatGatewayId=nat["NatGatewayId"])
        else:
            raise WorldError(f"unknown route {kind!r}: choose local, igw, igw6, egress6, nat or main")

    def _internet_gateway(self):
        if not self._internet:
            self._internet = self._ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            self._ec2.attach_internet_gateway(InternetGatewayId=self._internet, VpcId=self.vpc_id)
        return self._internet

    def _egress_only_gateway(self):
        if not self._egress_only:
            made = self._ec2.create_egress_only_internet_gateway(VpcId=self.vpc_id)["EgressOnlyInternetGateway"]
            self._egress_only = made["EgressOnlyInternetGatewayId"]
        return self._egress_only


def make_prefix_list(world, scope, name, spec):
    """`spec`: the list of CIDRs."""
    family = "IPv6" if any(":" in cidr for cidr in spec) else "IPv4"
    made = scope.client("ec2").create_managed_prefix_list(
        PrefixListName=name, AddressFamily=family, MaxEntries=max(1, len(spec)), Entries=[{"Cidr": cidr} for cidr in spec],
    )
    scope.put("prefix_lists", name, made["PrefixList"]["PrefixListId"])


def make_security_group(world, scope, name, spec):
    known_keys(spec, {"vpc", "description", "ingress", "tags"}, f"security_groups.{name}")
    request = {"GroupName": name, "Description": spec.get("description", name)}
    vpcs = scope.made["vpcs"]
    vpc = spec.get("vpc") or (next(iter(vpcs)) if len(vpcs) == 1 else None)
    if vpc is None:
        raise WorldError("name its vpc: the scope has none, or more than one")
    request["VpcId"] = scope.get("vpcs", vpc)
    tags = world.resolve(spec.get("tags"), scope)
    if tags:
        request["TagSpecifications"] = [{"ResourceType": "security-group", "Tags": tag_list(tags)}]
    scope.put("security_groups", name, scope.client("ec2").create_security_group(**request)["GroupId"])


def make_ingress(world, scope, name, spec):
    """Its rules come after all groups are there: they refer to each other."""
    rules = world.resolve(spec.get("ingress", []), scope)
    if not rules:
        return
    permissions = [_permission(world, scope, rule) for rule in rules]
    ec2, group = scope.client("ec2"), scope.get("security_groups", name)
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)["SecurityGroupRules"]
    if len(made) != len(rules):  # moto answers with the last one alone
        listed = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        made = [rule for rule in listed["SecurityGroupRules"] if not rule["IsEgress"]]
    scope.put("security_group_rules", name, [rule["SecurityGroupRuleId"] for rule in made])


def _permission(world, scope, rule):
    known_keys(
        rule, {"cidr", "cidr6", "prefix_list", "group", "account", "protocol", "port", "ports", "description"}, "ingress",
    )
    protocol = str(rule.get("protocol", "tcp"))
    permission = {"IpProtocol": "-1" if protocol == "all" else protocol}
    if permission["IpProtocol"] != "-1":
        first, last = rule.get("ports") or [rule.get("port", 5432)] * 2
        permission.update(FromPort=first, ToPort=last)
    note = {"Description": rule["description"]} if "description" in rule else {}
    if "cidr" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["cidr"], **note}]
    elif "cidr6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["cidr6"], **note}]
    elif "prefix_list" in rule:
        permission["PrefixListIds"] = [{"PrefixListId": scope.get("prefix_lists", rule["prefix_list"]), **note}]
    elif "group" in rule:
        permission["UserIdGroupPairs"] = [{**_group_pair(world, scope, rule), **note}]
    else:
        raise WorldError(f"ingress {rule} names no source: give cidr, cidr6, prefix_list or group")
    return permission


def _group_pair(world, scope, rule):
    name, _, elsewhere = rule["group"].partition("@")
    owner = world.scope(elsewhere) if elsewhere else scope
    # `account` passes a group off as another account's: moto knows none but the caller's own.
    account = str(rule.get("account", owner.account))
    if name.startswith("sg-"):  # not of this world
        return {"GroupId": name, "UserId": account}
    return {"GroupId": owner.get("security_groups", name), "UserId": account}
