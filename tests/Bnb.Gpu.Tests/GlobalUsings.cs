global using Bnb.Quant;
global using Bnb.Quant.Gpu;
global using Bnb.TestKit;
global using Xunit;
