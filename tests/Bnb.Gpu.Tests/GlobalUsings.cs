global using Bnb.Quant.Gpu;
global using Bnb.Quant.Gpu.Devices;
global using Bnb.Quant.Gpu.Inspection;
global using Bnb.Quant.Gpu.Operations;
global using Bnb.TestKit;
global using Xunit;

